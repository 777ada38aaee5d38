//! What each mistake is answered with, and what holds when nothing is said.

use super::*;

fn read_with(text: &str, overrides: &[(&str, &str)]) -> Result<Settings, RegistryError> {
    let overrides: Vec<_> = overrides
        .iter()
        .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()))
        .collect();
    parse("feeds.toml", text, &overrides)
}

fn problems(text: &str) -> Vec<String> {
    read_with(text, &[])
        .map(|_| ())
        .expect_err(text)
        .problems()
        .to_vec()
}

#[test]
fn defaults_are_those_of_the_contract() {
    let settings = defaults(&[]).unwrap();
    let Settings {
        site,
        server,
        fetch,
        mail,
        feeds,
        warnings,
    } = settings;
    assert_eq!(site.title, "LocalGov Digital Voice");
    assert_eq!(site.url, "http://127.0.0.1:8080");
    assert_eq!(site.contact, "http://127.0.0.1:8080/about");
    assert_eq!(
        (site.language.as_str(), site.timezone),
        ("en-GB", Tz::Europe__London)
    );
    assert_eq!(
        (site.pictures, site.ai_training, site.email, site.hub),
        (Pictures::Origin, false, None, None)
    );
    assert_eq!(site.network_hashtags, ["localgovdigital"]);
    assert_eq!(
        (site.digest_schedule.as_str(), site.digest_late_days),
        ("0 0 7 * * Mon", 28)
    );
    assert_eq!(*site.topics, *topics::builtin_topics());
    assert_eq!(server.trusted_proxies, []);
    assert_eq!(
        fetch,
        FetchSettings {
            schedule: "0 */5 * * * *".into(),
            min_interval: Duration::from_mins(30),
            max_interval: Duration::from_hours(24),
            timeout: Duration::from_secs(20),
            max_body_bytes: 8 * 1024 * 1024,
            concurrency: 32,
            per_host: 2,
            allow: vec![],
        }
    );
    assert_eq!((mail, feeds.len()), (None, 0));
    assert_eq!(
        warnings,
        [
            "[site] contact is not set, so the User-Agent points publishers at http://127.0.0.1:8080/about; \
             set contact = \"https://…\" to where they reach you"
        ]
    );
}

#[test]
fn every_key_is_read() {
    let settings = read_with(
        r##"
[site]
title = "T"
subtitle = ""
url = "https://Voice.example.org/"
language = "cy"
timezone = "Pacific/Auckland"
contact = "mailto:voice@example.org"
email = "voice@example.org"
pictures = "off"
ai_training = "yes"
[server]
listen = "[::1]:0"
trusted_proxies = ["10.0.0.0/8"]
[fetch]
schedule = "30 0,30 * * * *"
min_interval = "0s"
max_interval = "7d"
timeout = "90s"
max_body = 500_000
concurrency = 1
per_host = 1
allow = ["127.0.0.1/8", "::1/128"]
[digest]
schedule = "0 0  8 * Jan-Dec Mon,tue"
late_days = 0
[websub]
hub = "https://hub.example.org/"
[mail]
smtp = "smtps://voice@mail.example.org:465"
from = "voice@example.org"
[network]
hashtags = ["#LocalGovDigital", "lgd"]
[[hashtag]]
tag = "UKGovCamp"
also = ["ukgc*", "#GovCamp"]
[[feed]]
url = "https://example.org/feed/"
name = "Example"
joined = 2026-11-23
[[feed]]
url = "https://example.org/feed2"
member = "example"
"##,
        &[],
    )
    .unwrap();
    let site = &settings.site;
    assert_eq!(site.url, "https://voice.example.org");
    assert_eq!(site.contact, "voice@example.org");
    assert_eq!((site.pictures, site.ai_training), (Pictures::Off, true));
    assert_eq!(site.digest_schedule, "0 0 8 * Jan-Dec Mon,tue");
    assert_eq!(site.hub.as_ref().unwrap().as_str(), "https://hub.example.org/");
    assert_eq!(site.network_hashtags, ["localgovdigital", "lgd"]);
    assert_eq!(
        site.hashtag_groups,
        [HashtagGroup {
            tag: "ukgovcamp".into(),
            also: vec!["ukgc*".into(), "govcamp".into()]
        }]
    );
    assert_eq!(settings.server.listen.to_string(), "[::1]:0");
    assert_eq!(settings.fetch.max_body_bytes, 500_000);
    assert_eq!(settings.fetch.max_interval, Duration::from_hours(168));
    assert_eq!(settings.fetch.allow[0].to_string(), "127.0.0.0/8");
    assert_eq!(settings.mail.unwrap().from, "voice@example.org");
    assert_eq!(settings.feeds[0].joined.unwrap().to_string(), "2026-11-23");
    assert_eq!(settings.feeds[1].member.as_deref(), Some("example"));
    assert_eq!(settings.warnings, Vec::<String>::new());
}

/// A section whose header stands on line 1 and whose one key stands on line 2, and what line 2 is answered with.
#[test]
fn each_mistake_in_a_value_names_its_line() {
    for (section, key, message) in [
        (
            "site",
            "titel = \"x\"",
            "[site] has no key \"titel\"; did you mean \"title\"?",
        ),
        (
            "websub",
            "zebra = 1",
            "[websub] has no key \"zebra\"; its keys are hub",
        ),
        (
            "site",
            "title = \" \"",
            "[site] title: is empty; write something or leave the key out",
        ),
        (
            "site",
            "title = 5",
            "[site] title: must be text, not a whole number; write title = \"5\"",
        ),
        ("site", "title = [1]", "[site] title: must be text, not a list"),
        (
            "site",
            "url = \"voice.example.org\"",
            "[site] url: \"voice.example.org\" is no http or https address; write \"https://…\"",
        ),
        (
            "site",
            "url = \"https://example.org/voice/\"",
            "[site] url: \"https://example.org/voice/\" says more than scheme and host, and the Voice stands at the \
             root of its host; write \"https://example.org\"",
        ),
        (
            "site",
            "url = \"https://example.org/?a\"",
            "[site] url: \"https://example.org/?a\" says more than scheme and host, and the Voice stands at the \
             root of its host; write \"https://example.org\"",
        ),
        (
            "site",
            "timezone = \"Europe/Londn\"",
            "[site] timezone: \"Europe/Londn\" is no time zone; did you mean \"Europe/London\"?",
        ),
        (
            "site",
            "timezone = \"half past nine\"",
            "[site] timezone: \"half past nine\" is no time zone; write a name of the IANA list, such as \
             \"Europe/London\"",
        ),
        (
            "site",
            "language = \"english!\"",
            "[site] language: \"english!\" is no language tag; write one such as \"en-GB\"",
        ),
        (
            "site",
            "contact = \"ask me\"",
            "[site] contact: \"ask me\" is neither an address nor a mail address; write \"https://…/about\"",
        ),
        (
            "site",
            "email = \"a b@example.org\"",
            "[site] email: \"a b@example.org\" is no mail address; write \"voice@example.org\"",
        ),
        (
            "site",
            "pictures = \"none\"",
            "[site] pictures: \"none\" is none of its values; write \"origin\" or \"off\"",
        ),
        (
            "site",
            "ai_training = false",
            "[site] ai_training: \"false\" is none of its values; write \"no\" or \"yes\"",
        ),
        (
            "server",
            "listen = \"localhost:8080\"",
            "[server] listen: \"localhost:8080\" is no address to listen at; write an IP address and a port, such as \
             \"127.0.0.1:8080\"",
        ),
        (
            "server",
            "trusted_proxies = \"10.0.0.0/8\"",
            "[server] trusted_proxies: must be a list, not text; write trusted_proxies = [\"…\"]",
        ),
        (
            "fetch",
            "allow = [\"10.0.0.1\"]",
            "[fetch] allow: \"10.0.0.1\" is no CIDR block; write an address and a length, such as \"10.0.0.0/8\"",
        ),
        (
            "fetch",
            "schedule = \"*/5 * * * *\"",
            "[fetch] schedule: \"*/5 * * * *\" has 5 fields; write six: second, minute, hour, day, month, weekday, \
             such as \"0 0 7 * * Mon\"",
        ),
        (
            "digest",
            "schedule = \"0 0 7 * * 1\"",
            "[digest] schedule: \"0 0 7 * * 1\" gives the weekday as a number; write names, such as \"Mon\" or \
             \"Mon-Fri\"",
        ),
        (
            "digest",
            "schedule = \"0 0 25 * * Mon\"",
            "[digest] schedule: \"0 0 25 * * Mon\" is no cron line; write second, minute, hour, day, month, weekday, \
             such as \"0 */5 * * * *\"",
        ),
        (
            "digest",
            "schedule = \"0 0 7 30 Feb *\"",
            "[digest] schedule: \"0 0 7 30 Feb *\" never comes round; choose a day that exists",
        ),
        (
            "fetch",
            "timeout = \"20 s\"",
            "[fetch] timeout: \"20 s\" is no duration; write a whole number with s, m, h or d, such as \"20s\"",
        ),
        (
            "fetch",
            "timeout = 20",
            "[fetch] timeout: \"20\" is no duration; write a whole number with s, m, h or d, such as \"20s\"",
        ),
        (
            "fetch",
            "timeout = \"0s\"",
            "[fetch] timeout: \"0s\" leaves no time; write more, such as \"20s\"",
        ),
        (
            "fetch",
            "max_interval = \"99999999999999999d\"",
            "[fetch] max_interval: \"99999999999999999d\" is too long; ten years is the most",
        ),
        (
            "fetch",
            "max_body = \"8 megs\"",
            "[fetch] max_body: \"8 megs\" is no size; write a whole number with KiB, MiB or GiB, such as \"8MiB\"",
        ),
        (
            "fetch",
            "max_body = 0",
            "[fetch] max_body: \"0\" leaves room for nothing; write more, such as \"8MiB\"",
        ),
        (
            "fetch",
            "min_interval = \"48h\"",
            "[fetch] min_interval: min_interval \"2d\" is longer than max_interval \"1d\"; write at most \"1d\"",
        ),
        (
            "fetch",
            "max_interval = \"90s\"",
            "[fetch] max_interval: min_interval \"30m\" is longer than max_interval \"90s\"; write at least \"30m\"",
        ),
        (
            "fetch",
            "concurrency = 0",
            "[fetch] concurrency: must be a whole number from 1 to 1024, without quotes",
        ),
        (
            "fetch",
            "per_host = \"2\"",
            "[fetch] per_host: must be a whole number from 1 to 1024, without quotes",
        ),
        (
            "digest",
            "late_days = 99999999999999999999",
            "[digest] late_days: must be a whole number from 0 to 3650, without quotes",
        ),
        (
            "mail",
            "from = \"x\"",
            "[mail] from: \"x\" is no mail address; write \"voice@example.org\"",
        ),
        (
            "network",
            "hashtags = [\"local gov\"]",
            "[network] hashtags: \"local gov\" is no hashtag; write letters, digits and _ alone, such as \
             \"localgovdigital\"",
        ),
    ] {
        assert_eq!(
            problems(&format!("[{section}]\n{key}\n")),
            [format!("feeds.toml:2: {message}")],
            "{key}"
        );
    }
}

/// Whole files, for what one line does not show.
#[test]
fn each_mistake_between_values_names_its_line() {
    let topic = |slug: &str, more: &str| {
        format!("[[topic]]\nslug = \"{slug}\"\nname = \"N\"\nhashtags = []\n{more}\n")
    };
    for (text, expected) in [
        ("[sites]".to_owned(), vec!["1: there is no section \"sites\"; did you mean [site]?"]),
        ("\n[[feeds]]".into(), vec!["2: there is no section \"feeds\"; did you mean [[feed]]?"]),
        (
            "title = \"x\"".into(),
            vec![
                "1: \"title\" stands in no section; the sections are site, server, fetch, digest, websub, mail, \
                 network, and many times hashtag, topic, feed",
            ],
        ),
        ("[[site]]".into(), vec!["1: site must be a section that stands once; write [site]"]),
        (
            "\n[zebra]".into(),
            vec![
                "2: there is no section \"zebra\"; the sections are site, server, fetch, digest, websub, mail, \
                 network, and many times hashtag, topic, feed",
            ],
        ),
        (
            "[site]\ntitle = \"a\"\ntitle = \"b\"\npictures = \"\"\n[[feed]]\n[site]".into(),
            vec![
                "3: \"title\" is given twice; leave one of the two out",
                "4: [site] pictures: \"\" is none of its values; write \"origin\" or \"off\"",
                "5: [[feed]] has no url; add url = \"https://…\"",
                "5: [[feed]] has no name; add name = \"Who writes it\", or member = \"slug\" for a further feed of a \
                 member",
                "6: \"site\" is given twice; leave one of the two out",
            ],
        ),
        ("[feed]".into(), vec!["1: feed may stand many times; write [[feed]] with two brackets"]),
        ("feed = [1]".into(), vec!["1: feed may stand many times; write [[feed]] with two brackets"]),
        (
            "[mail]\nsmtp = \"smtps://mail.example.org\"".into(),
            vec!["1: [mail] has no from; add from = \"voice@example.org\""],
        ),
        (
            "[mail]\nfrom = \"v@example.org\"\nsmtp = \"smtps://me:secret@mail.example.org\"".into(),
            vec!["3: [mail] smtp: holds a password; take it out and give it in VOICE_SMTP_PASSWORD"],
        ),
        (
            "[mail]\nfrom = \"v@example.org\"\nsmtp = \"mail.example.org:25\"".into(),
            vec!["3: [mail] smtp: is no mail server; write \"smtps://user@host:465\""],
        ),
        (
            "[[hashtag]]\n[[hashtag]]\ntag = \"a\"\nalso = [\"b\",\n\"*\"]\n[[hashtag]]\ntag = \"#A\"".into(),
            vec![
                "1: [[hashtag]] has no tag; add tag = \"ukgovcamp\"",
                "5: [[hashtag]] also: \"*\" is no hashtag; write letters, digits and _ alone, such as \
                 \"localgovdigital\"",
                "7: [[hashtag]] tag: \"a\" is gathered twice; put all its tags into one [[hashtag]]",
            ],
        ),
        (
            "\n[[feed]]\nslug = \"lwn\"\nname = \"x\"\n\n[[feed]]".into(),
            vec![
                "2: feed \"lwn\" has no url; add url = \"https://…\"",
                "6: [[feed]] has no url; add url = \"https://…\"",
                "6: [[feed]] has no name; add name = \"Who writes it\", or member = \"slug\" for a further feed of a \
                 member",
            ],
        ),
        (
            "[[feed]]\nurl = \"gopher://example.org/\"\nname = \"N\"\nkind = \"cat\"\ncontent = \"none\"\n\
             include = \"some\"\nslug = \"Big Blog\"\nsite = \"x\"\njoined = \"2026-11-23\"\nlicense = \"CC0-1.0\"\n\
             [[feed]]\nurl = \"https://example.org/\"\nname = \"N\"\nmember = \"m\"\njoined = 2026-11-23T00:00:00Z"
                .into(),
            vec![
                "2: feed \"Big Blog\" url: \"gopher://example.org/\" is no http or https address; write \"https://…\"",
                "4: feed \"Big Blog\" kind: \"cat\" is none of its values; write \"person\" or \"team\"",
                "5: feed \"Big Blog\" content: \"none\" is none of its values; write \"excerpt\" or \"full\"",
                "6: feed \"Big Blog\" include: \"some\" is none of its values; write \"all\" or \"tagged\"",
                "7: feed \"Big Blog\" slug: \"Big Blog\" is no slug; write 1 to 60 of a-z, 0-9 and hyphen, such as \
                 \"big-blog\"",
                "8: feed \"Big Blog\" site: \"x\" is no http or https address; write \"https://…\"",
                "9: feed \"Big Blog\" joined: must be a day that exists, without quotes or time; write joined = 2026-11-23",
                "10: feed \"Big Blog\" has no key \"license\"; did you mean \"licence\"?",
                "13: feed \"N\" name: cannot stand beside member, whose own it would be; leave one of the two out",
                "15: feed \"N\" joined: must be a day that exists, without quotes or time; write joined = 2026-11-23",
            ],
        ),
        (
            "[[feed]]\nurl = \"https://Example.org\"\nname = \"A\"\nslug = \"a\"\n[[feed]]\nurl = \
             \"https://example.org:443/#x\"\nname = \"B\"\nslug = \"a\"\njoined = 2026-02-30\n[[feed]]\nslug = \"a\"\nname = \"C\""
                .into(),
            vec![
                "6: feed \"a\" url: this address stands on line 2 already; leave one of the two out",
                "8: feed \"a\" slug: \"a\" stands on line 4 already; give this one another",
                "9: feed \"a\" joined: must be a day that exists, without quotes or time; write joined = 2026-11-23",
                "10: feed \"a\" has no url; add url = \"https://…\"",
                "11: feed \"a\" slug: \"a\" stands on line 4 already; give this one another",
            ],
        ),
        (
            "[[topic]]\nphrases = [[\"aa\", \"b\"], [\"c*d\", 1], [\"e\"], 5, \"!\", [\"f\", nan]]\nhashtags = 1".into(),
            vec![
                "1: [[topic]] has no slug; add slug = \"democracy\"",
                "1: [[topic]] has no name; add name = \"Democracy\"",
                "2: [[topic]] phrases: the weight of \"aa\" is no number; write [\"aa\", 1.0]",
                "2: [[topic]] phrases: \"c*d\" can never match; write words, with * only at the end of one or before the first",
                "2: [[topic]] phrases: a phrase has a text and a weight; write [\"…\", 1.0]",
                "2: [[topic]] phrases: a phrase is a text with a weight; write [\"…\", 1.0]",
                "2: [[topic]] phrases: \"!\" can never match; write words, with * only at the end of one or before the first",
                "2: [[topic]] phrases: the weight of \"f\" is no number; write [\"f\", 1.0]",
                "3: [[topic]] hashtags: must be a list, not a whole number; write hashtags = [\"…\"]",
            ],
        ),
        (
            [topic("a", "phrases = \"x\""), topic("a", "")].concat(),
            vec![
                "5: topic \"a\" phrases: must be a list; write phrases = [[\"…\", 1.0]]",
                "7: topic \"a\" stands on line 2 already; give this one another slug",
            ],
        ),
        (
            [
                topic("democracy", ""),
                topic("scrutiny", "parent = \"democracyy\""),
                topic("x", "parent = \"zzzzzz\""),
            ]
            .concat(),
            vec![
                "10: topic \"scrutiny\" parent: there is no topic \"democracyy\"; did you mean \"democracy\"?",
                "15: topic \"x\" parent: there is no topic \"zzzzzz\"; add a [[topic]] with slug = \"zzzzzz\"",
            ],
        ),
        (
            [
                topic("a", ""),
                topic("b", "parent = \"a\""),
                topic("c", "parent = \"b\""),
            ]
            .concat(),
            vec![
                "15: topic \"c\" parent: \"b\" lies within \"a\" already, and there is one level only; write \
                 parent = \"a\"",
            ],
        ),
        (
            [
                topic("a", "parent = \"a\""),
                topic("b", "parent = \"c\""),
                topic("c", "parent = \"b\""),
            ]
            .concat(),
            vec![
                "5: topic \"a\" parent: \"a\" leads back to \"a\"; leave one parent out",
                "10: topic \"b\" parent: \"c\" leads back to \"b\"; leave one parent out",
                "15: topic \"c\" parent: \"b\" leads back to \"c\"; leave one parent out",
            ],
        ),
    ] {
        let expected: Vec<String> = expected.iter().map(|line| format!("feeds.toml:{line}")).collect();
        assert_eq!(problems(&text), expected, "{text}");
    }
}

#[test]
fn a_syntax_error_names_its_line_and_display_has_one_line_each() {
    let error = read_with("\n[site]\r\ntitle = unquoted\nurl = \"a\" \"b\"\n", &[]).unwrap_err();
    let lines: Vec<String> = error.to_string().lines().map(str::to_owned).collect();
    assert_eq!(lines, error.problems());
    assert!(
        lines[0].starts_with("feeds.toml:3: this is no TOML: "),
        "{lines:?}"
    );
    assert!(
        lines.iter().any(|line| line.starts_with("feeds.toml:4: ")),
        "{lines:?}"
    );
}

#[test]
fn variables_override_the_file() {
    let settings = read_with(
        "[fetch]\nconcurrency = \"no number\"\n[site]\ntitle = \"File\"",
        &[
            ("VOICE_FETCH_ALLOW", "127.0.0.0/8, ::1/128"),
            ("VOICE_FETCH_CONCURRENCY", "3"),
            ("VOICE_FETCH_MAX_BODY", "1MiB"),
            ("VOICE_SITE_TITLE", "Variable"),
            ("VOICE_NETWORK_HASHTAGS", ""),
            ("VOICE_CONFIG", "x"),
            ("VOICE_LOG", "debug"),
            ("VOICE_LOG_FORMAT", "json"),
            ("VOICE_ADMIN_TOKENS", "a:editor:b"),
            ("VOICE_SMTP_PASSWORD", "x"),
            ("VOICE_FEED_URL", "x"),
            ("PATH", "x"),
        ],
    )
    .unwrap();
    assert_eq!(settings.fetch.allow.len(), 2);
    assert_eq!(settings.fetch.concurrency, 3);
    assert_eq!(settings.fetch.max_body_bytes, 1 << 20);
    assert_eq!(settings.site.title, "Variable");
    assert_eq!(settings.site.network_hashtags, Vec::<String>::new());
}

#[test]
fn a_bad_variable_is_named_after_the_lines() {
    let error = read_with(
        "[fetch]\nallow = 1\nper_host = 0",
        &[
            ("VOICE_FETCH_ALLOW", "127.0.0.0/8,nonsense"),
            ("VOICE_FETCH_TIMEOOUT", "5s"),
            ("VOICE_DIGEST_LATE_DAYS", "soon"),
        ],
    )
    .unwrap_err();
    assert_eq!(
        error.problems(),
        [
            "feeds.toml:3: [fetch] per_host: must be a whole number from 1 to 1024, without quotes",
            "VOICE_DIGEST_LATE_DAYS: [digest] late_days: must be a whole number from 0 to 3650, without quotes",
            "VOICE_FETCH_ALLOW: [fetch] allow: \"nonsense\" is no CIDR block; write an address and a length, such as \
             \"10.0.0.0/8\"",
            "VOICE_FETCH_TIMEOOUT: [fetch] has no key \"timeoout\"; did you mean \"timeout\"?",
        ]
    );
}

#[test]
fn mail_without_a_server_is_a_warning() {
    let settings = read_with(
        "[site]\ncontact = \"https://example.org/\"\n[mail]\nfrom = \"voice@example.org\"",
        &[],
    )
    .unwrap();
    assert_eq!(settings.mail, None);
    assert_eq!(
        settings.warnings,
        ["feeds.toml:4: [mail] has no smtp, so no mail is sent; add smtp = \"smtps://user@host:465\""]
    );
}

#[test]
fn the_shipped_file_has_no_problem_and_one_warning() {
    let settings = load(
        &Path::new(env!("CARGO_MANIFEST_DIR")).join("../../feeds.toml"),
        &[],
    )
    .unwrap();
    assert_eq!(settings.warnings.len(), 1, "{:?}", settings.warnings);
    assert!(settings.warnings[0].starts_with("[site] contact is not set"));
    assert!(!settings.feeds.is_empty());
}

#[test]
fn a_file_that_is_not_there_says_how_to_make_one() {
    let error = load(Path::new("no-such-folder/feeds.toml"), &[]).unwrap_err();
    assert!(matches!(error, RegistryError::Missing(_)));
    assert_eq!(
        error.to_string(),
        "no-such-folder/feeds.toml: there is no such file; write one with a [[feed]] in it that has a url and a name \
         (all else has defaults), or name another with --config PATH or VOICE_CONFIG"
    );
    let error = load(Path::new(env!("CARGO_MANIFEST_DIR")), &[]).unwrap_err();
    assert!(matches!(error, RegistryError::Unreadable(_)), "{error}");
}

#[test]
fn sizes_and_durations() {
    for (text, bytes) in [
        ("500KiB", 512_000),
        ("1 GiB", 1 << 30),
        ("2MB", 2_000_000),
        ("7b", 7),
    ] {
        assert_eq!(units::size_bytes(text), Ok(bytes), "{text}");
    }
    for (text, seconds) in [("20s", 20), ("30m", 1800), ("24h", 86_400), ("7d", 604_800)] {
        assert_eq!(units::duration(text), Ok(Duration::from_secs(seconds)), "{text}");
    }
    for bad in ["", "s", "1h30m", "-1s", "1.5h", "1S", "5 m"] {
        assert!(units::duration(bad).is_err(), "{bad}");
    }
    for text in ["20s", "90s", "30m", "36h", "1d", "0s"] {
        assert_eq!(units::duration_text(units::duration(text).unwrap()), text);
    }
}
