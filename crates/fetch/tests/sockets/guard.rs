//! What is never connected to, whichever way it is reached: the listener itself says that nobody came.

use std::sync::Arc;

use crate::support::{Server, Table, answer, body, config, failure, fetcher, get};
use fetch::{FailureKind, Fetcher};
use url::Url;

/// Hosts that some parser or network reads as an address which is nobody's blog, and the rule that each breaks. All
/// spellings of loopback mean 127.0.0.2, where a server listens for whoever comes.
const FORBIDDEN: &[(&str, &str)] = &[
    ("127.0.0.2", "loopback, RFC 1122"),
    ("127.0.0.2.", "loopback, RFC 1122"),
    ("2130706434", "loopback, RFC 1122"),
    ("017700000002", "loopback, RFC 1122"),
    ("0x7f000002", "loopback, RFC 1122"),
    ("0X7F.0.0x0.02", "loopback, RFC 1122"),
    ("0177.0.0.2", "loopback, RFC 1122"),
    ("127.2", "loopback, RFC 1122"),
    ("127.0.2", "loopback, RFC 1122"),
    ("%31%32%37%2e0.0.2", "loopback, RFC 1122"),
    ("１２７.０.０.２", "loopback, RFC 1122"),
    ("127。0。0。2", "loopback, RFC 1122"),
    ("⑫⑦.0.0.2", "loopback, RFC 1122"),
    ("[::ffff:127.0.0.2]", "loopback, RFC 1122"),
    ("[::FFFF:7F00:2]", "loopback, RFC 1122"),
    ("[::127.0.0.2]", "IPv4-compatible, RFC 4291"),
    ("[::ffff:0:127.0.0.2]", "IPv4-translated, RFC 2765"),
    ("[64:ff9b::127.0.0.2]", "loopback, RFC 1122"),
    ("[64:ff9b:1::127.0.0.2]", "local-use NAT64, RFC 8215"),
    ("[2002:7f00:2::1]", "6to4, RFC 3056"),
    ("[2001:0:4136:e378:8000:63bf:80ff:fffd]", "Teredo, RFC 4380"),
    (
        "[2606:4700::5efe:127.0.0.2]",
        "ISATAP into a private network, RFC 5214",
    ),
    ("127.255.255.254", "loopback, RFC 1122"),
    ("0", "“this network”, RFC 791"),
    ("0.0.0.0", "“this network”, RFC 791"),
    ("[::1]", "loopback, RFC 4291"),
    ("[0:0:0:0:0:0:0:1]", "loopback, RFC 4291"),
    ("[::]", "unspecified, RFC 4291"),
    ("10.0.0.1", "private, RFC 1918"),
    ("172.31.255.255", "private, RFC 1918"),
    ("192.168.0.1", "private, RFC 1918"),
    ("100.64.0.1", "shared by a carrier, RFC 6598"),
    ("169.254.0.1", "link-local, RFC 3927"),
    ("169.254.169.254", "cloud metadata"),
    ("0xA9FEA9FE", "cloud metadata"),
    ("100.100.100.200", "cloud metadata"),
    ("192.0.0.192", "cloud metadata"),
    ("168.63.129.16", "cloud metadata"),
    ("[fd00:ec2::254]", "cloud metadata"),
    ("[fc00::1]", "private, RFC 4193"),
    ("[fe80::1]", "link-local, RFC 4291"),
    ("[ff02::1]", "multicast, RFC 4291"),
    ("224.0.0.1", "multicast, RFC 5771"),
    ("255.255.255.255", "broadcast, RFC 919"),
];

/// Names that only ever mean something near by.
const LOCAL: &[&str] = &[
    "localhost",
    "LOCALHOST.",
    "%6Cocalhost",
    "a.localhost",
    "printer.local",
    "voice.internal",
    "metadata.google.internal",
    "nas.home.arpa",
    "intranet",
];

/// Public names that lead inside, where to, and the rule that each breaks.
const INSIDE: &[(&str, &str, &str)] = &[
    ("loopback.example", "127.0.0.2", "loopback, RFC 1122"),
    ("private.example", "10.1.2.3", "private, RFC 1918"),
    ("metadata.example", "169.254.169.254", "cloud metadata"),
    ("mapped.example", "::ffff:127.0.0.2", "loopback, RFC 1122"),
    ("nat64.example", "64:ff9b::127.0.0.2", "loopback, RFC 1122"),
    ("six.example", "::1", "loopback, RFC 4291"),
    ("tunnel.example", "2002:7f00:2::1", "6to4, RFC 3056"),
    ("near.example", "fe80::1", "link-local, RFC 4291"),
];

fn inside() -> Arc<Table> {
    let empty = Table::default();
    Arc::new(
        INSIDE
            .iter()
            .fold(empty, |table, (name, ip, _)| table.with(name, &[&[ip]])),
    )
}

#[tokio::test]
async fn forbidden_addresses_are_out_of_reach_in_every_spelling() {
    let server = Server::start_at("127.0.0.2:0", |_| answer("200 OK", &[], b"secret")).await;
    let port = server.address.port();
    let fetcher = fetcher(&[]);
    let local = LOCAL.iter().map(|name| (*name, "means a private network"));
    for (host, rule) in FORBIDDEN.iter().copied().chain(local) {
        let url = Url::parse(&format!("http://{host}:{port}/")).unwrap();
        let fetch = get(&fetcher, &url).await;
        assert_eq!((fetch.http_status, fetch.hops.len()), (None, 0), "{host}");
        let failure = failure(fetch);
        assert_eq!(failure.kind, FailureKind::Blocked, "{host}: {}", failure.message);
        assert!(failure.message.contains(rule), "{host}: {}", failure.message);
    }
    assert_eq!(server.connections(), 0);
}

#[tokio::test]
async fn no_redirect_leads_to_any_of_them() {
    let inner = Server::start_at("127.0.0.2:0", |_| answer("200 OK", &[], b"secret")).await;
    let port = inner.address.port();
    let names = INSIDE.iter().map(|(name, _, rule)| (*name, *rule));
    let targets: Vec<(&str, &str)> = FORBIDDEN.iter().copied().chain(names).collect();
    let hosts: Vec<&str> = targets.iter().map(|(host, _)| *host).collect();
    // /0/7 redirects to the seventh at once, /2/7 by way of two more hops.
    let outer = Server::start(move |path| {
        let (hops, nth) = path[1..].split_once('/').unwrap();
        let target = match hops.parse::<usize>().unwrap() {
            0 => format!("http://{}:{port}/", hosts[nth.parse::<usize>().unwrap()]),
            hops => format!("/{}/{nth}", hops - 1),
        };
        answer("301 Moved Permanently", &[&format!("Location: {target}")], b"")
    })
    .await;
    let fetcher = Fetcher::with_names(config(&["127.0.0.1/32"]), inside()).unwrap();
    for (nth, (host, rule)) in targets.iter().enumerate() {
        for hops in [0, 2] {
            let fetch = get(&fetcher, &outer.url(&format!("/{hops}/{nth}"))).await;
            assert_eq!(fetch.hops.len(), hops + 1, "{host}");
            let failure = failure(fetch);
            assert_eq!(failure.kind, FailureKind::Blocked, "{host}: {}", failure.message);
            assert!(failure.message.contains(rule), "{host}: {}", failure.message);
        }
    }
    assert_eq!(inner.connections(), 0);
}

#[tokio::test]
async fn redirects_to_what_is_no_address_go_nowhere() {
    let inner = Server::start_at("127.0.0.2:0", |_| answer("200 OK", &[], b"secret")).await;
    let port = inner.address.port();
    let targets = [
        format!("http://[fe80::1%25lo]:{port}/"),
        format!("http://[::ffff:127.0.0.2%lo]:{port}/"),
        format!("http://[127.0.0.2]:{port}/"),
        format!("http://0.127.0.0.2:{port}/"),
        format!("http://127.0.0.2%00:{port}/"),
        format!("http://:{port}/"),
    ];
    let count = targets.len();
    let outer = Server::start(move |path| {
        let target = &targets[path[1..].parse::<usize>().unwrap()];
        answer("302 Found", &[&format!("Location: {target}")], b"")
    })
    .await;
    for nth in 0..count {
        let failure = failure(get(&fetcher(&["127.0.0.1/32"]), &outer.url(&format!("/{nth}"))).await);
        assert_eq!(failure.kind, FailureKind::Redirects, "{}", failure.message);
        assert!(failure.message.contains("is no address"), "{}", failure.message);
    }
    assert_eq!(inner.connections(), 0);
}

#[tokio::test]
async fn names_that_lead_inside_are_refused() {
    let inner = Server::start_at("127.0.0.2:0", |_| answer("200 OK", &[], b"secret")).await;
    let fetcher = Fetcher::with_names(config(&[]), inside()).unwrap();
    for (name, ip, rule) in INSIDE {
        let url = Url::parse(&format!("http://{name}:{}/", inner.address.port())).unwrap();
        let fetch = get(&fetcher, &url).await;
        assert_eq!(fetch.hops, [], "{name}");
        let failure = failure(fetch);
        assert_eq!(failure.kind, FailureKind::Blocked, "{name}: {}", failure.message);
        let ip = ip.parse::<std::net::IpAddr>().unwrap().to_string();
        for said in [name, ip.as_str(), rule] {
            assert!(failure.message.contains(said), "{said}: {}", failure.message);
        }
    }
    assert_eq!(inner.connections(), 0);
}

#[tokio::test]
async fn of_many_addresses_only_the_permitted_are_tried() {
    let outer = Server::start(|_| answer("200 OK", &[], b"outer")).await;
    let port = outer.address.port();
    let inner = Server::start_at(&format!("127.0.0.2:{port}"), |_| answer("200 OK", &[], b"secret")).await;
    let answers: &[&str] = &["127.0.0.2", "10.0.0.1", "::1", "127.0.0.1", "169.254.169.254"];
    let names = Table::default().with("mixed.example", &[answers]);
    let fetcher = Fetcher::with_names(config(&["127.0.0.1/32"]), Arc::new(names)).unwrap();
    let url = Url::parse(&format!("http://mixed.example:{port}/")).unwrap();
    assert_eq!(&body(get(&fetcher, &url).await).bytes[..], b"outer");
    assert_eq!((outer.connections(), inner.connections()), (1, 0));
}

#[tokio::test]
async fn a_name_that_resolves_differently_the_second_time_gains_nothing() {
    // Both listen on the same port; the name leads to the permitted one first and inside ever after.
    let outer = Server::start(|_| answer("200 OK", &[], b"outer")).await;
    let port = outer.address.port();
    let inner = Server::start_at(&format!("127.0.0.2:{port}"), |_| answer("200 OK", &[], b"secret")).await;
    let names = Arc::new(Table::default().with("rebind.example", &[&["127.0.0.1"], &["127.0.0.2"]]));
    let fetcher = Fetcher::with_names(config(&["127.0.0.1/32"]), Arc::clone(&names) as _).unwrap();
    let url = Url::parse(&format!("http://rebind.example:{port}/")).unwrap();

    // One look-up for each connection: what was judged is what is connected to.
    assert_eq!(&body(get(&fetcher, &url).await).bytes[..], b"outer");
    assert_eq!(names.asked("rebind.example"), 1);
    let failure = failure(get(&fetcher, &url).await);
    assert_eq!(names.asked("rebind.example"), 2);
    assert_eq!(failure.kind, FailureKind::Blocked, "{}", failure.message);
    assert_eq!((outer.connections(), inner.connections()), (1, 0));
}

#[tokio::test]
async fn the_allow_list_opens_exactly_what_it_names() {
    let first = Server::start(|_| answer("200 OK", &[], b"open")).await;
    let port = first.address.port();
    let second = Server::start_at(&format!("127.0.0.2:{port}"), |_| answer("200 OK", &[], b"open")).await;
    let cases: [(&[&str], [bool; 2]); 7] = [
        (&["127.0.0.1/32"], [true, false]),
        (&["127.0.0.2/32"], [false, true]),
        (&["127.0.0.0/30"], [true, true]),
        (&["127.0.0.2/31", "10.0.0.0/8"], [false, true]),
        (&["::ffff:127.0.0.2/128"], [false, true]),
        (&["::/0", "10.0.0.0/8", "192.168.0.0/16"], [false, false]),
        (&[], [false, false]),
    ];
    for (allow, open) in cases {
        let fetcher = fetcher(allow);
        let before = [first.connections(), second.connections()];
        for host in ["127.0.0.1", "127.0.0.2", "2130706434", "017700000001"] {
            let url = Url::parse(&format!("http://{host}:{port}/")).unwrap();
            get(&fetcher, &url).await;
        }
        let came = [first.connections() - before[0], second.connections() - before[1]];
        assert_eq!(came.map(|came| came > 0), open, "{allow:?}");
    }
}

#[tokio::test]
async fn allowed_addresses_keep_the_other_rules() {
    // A database's port, on an address of loopback that is this process's own.
    let [_, a, b, c] = std::process::id().to_be_bytes();
    let service = format!("127.{}.{b}.{c}:6379", a | 0x80);
    let service = Server::start_at(&service, |_| answer("200 OK", &[], b"secret")).await;
    let web = Server::start(|_| answer("200 OK", &[], b"open")).await;
    let port = web.address.port();
    let fetcher = fetcher(&["127.0.0.0/8"]);
    for (url, rule) in [
        (service.url("/").to_string(), "port 6379 is not one of the web's"),
        (
            "http://127.0.0.1:22/".to_owned(),
            "port 22 is not one of the web's",
        ),
        (
            format!("http://me@127.0.0.1:{port}/"),
            "a user name or a password",
        ),
        (
            format!("http://me:secret@127.0.0.1:{port}/"),
            "a user name or a password",
        ),
        (format!("ftp://127.0.0.1:{port}/"), "ftp:"),
    ] {
        let failure = failure(get(&fetcher, &Url::parse(&url).unwrap()).await);
        assert_eq!(failure.kind, FailureKind::Blocked, "{url}: {}", failure.message);
        assert!(failure.message.contains(rule), "{url}: {}", failure.message);
    }
    assert_eq!((service.connections(), web.connections()), (0, 0));
}

#[tokio::test]
async fn localhost_works_where_its_address_is_allowed() {
    let server = Server::start(|_| answer("200 OK", &[], b"hello")).await;
    let url = Url::parse(&format!("http://localhost:{}/", server.address.port())).unwrap();
    assert_eq!(
        &body(get(&fetcher(&["127.0.0.0/8"]), &url).await).bytes[..],
        b"hello"
    );
}
