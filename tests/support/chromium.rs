//! A real browser: Chromium without a window, told what to do over its debugging pipe (the Chrome DevTools
//! Protocol). It resolves no name and so reaches nobody but this machine, and hides nothing that it was made to do.

use std::collections::BTreeMap;
use std::io::{BufRead, BufReader, Write};
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::time::{Duration, Instant};

use serde_json::{Value, json};

/// What the tests' own scripts call themselves, to be told from those of pages.
const OURS: &str = "voice-test:probe";

/// A running Chromium with one page; killed when the test is done with it.
pub(crate) struct Chromium {
    child: Child,
    orders: ChildStdin,
    news: Receiver<Value>,
    session: Option<String>,
    orders_given: u64,
    events: Vec<Event>,
    _profile: tempfile::TempDir,
}

/// Something that happened in the page, as the protocol names it.
#[derive(Debug, Clone)]
pub(crate) struct Event {
    pub(crate) method: String,
    pub(crate) params: Value,
}

/// Something that a document did or holds which none of ours may.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Finding {
    /// The document.
    pub(crate) url: String,
    /// What it did.
    pub(crate) what: String,
}

/// Waits until the page was painted.
pub(crate) const PAINTED: &str =
    "new Promise(done => requestAnimationFrame(() => requestAnimationFrame(() => setTimeout(done))))";

/// Runs axe, whose script was run in the page before, and gives what breaks a rule.
pub(crate) const AXE: &str = "axe.run(document, {preload: false, resultTypes: ['violations'], rules: {'target-size': {enabled: true}}})\
     .then(found => found.violations.flatMap(rule => rule.nodes.map(node => rule.id + ': ' + node.html)))";

/// Gives what leads to the wrong place in the page: ids that stand there twice, labels of nothing or of another form's field,
/// and names of ids that are nowhere.
pub(crate) const LOST: &str = "(() => {
    const ids = [...document.querySelectorAll('[id]')].map(it => it.id);
    const twice = ids.filter((id, at) => ids.indexOf(id) != at);
    const labels = [...document.querySelectorAll('label')]
        .filter(label => !label.control || label.control.form != label.closest('form')).map(label => label.outerHTML);
    const named = ['aria-describedby', 'aria-labelledby', 'aria-controls'].flatMap(name =>
        [...document.querySelectorAll(`[${name}]`)].flatMap(it => it.getAttribute(name).trim().split(' ')));
    const anchors = [...document.querySelectorAll('a[href^=\"#\"]')].map(link => decodeURIComponent(link.hash.slice(1)));
    return [...twice, ...labels, ...[...named, ...anchors].filter(id => !ids.includes(id))];
})()";

/// Whether there is a browser; without one a test is skipped, but never in CI.
pub(crate) fn is_there() -> bool {
    let there = Command::new("chromium").arg("--version").output().is_ok();
    assert!(
        there || std::env::var_os("CI").is_none(),
        "CI has no chromium; scripts/test installs it"
    );
    if !there {
        eprintln!("skipped: there is no chromium to look at the pages with");
    }
    there
}

impl Chromium {
    pub(crate) fn start() -> Self {
        let profile = tempfile::tempdir().unwrap();
        // The pipe is file descriptors 3 and 4, which only a shell can set without unsafe code.
        let mut child = Command::new("sh")
            .args([
                "-c",
                "exec chromium \"$@\" 3<&0 4>&1 0</dev/null 1>/dev/null",
                "chromium",
            ])
            .args([
                "--headless",
                "--no-sandbox",
                "--disable-gpu",
                "--no-first-run",
                "--hide-scrollbars",
            ])
            .args([
                "--disable-background-networking",
                "--disable-component-update",
                "--disable-sync",
            ])
            .args(["--host-resolver-rules=MAP voice.test 127.0.0.1 , MAP * ~NOTFOUND , EXCLUDE 127.0.0.1"])
            .args(["--window-size=390,844", "--remote-debugging-pipe"])
            .arg(format!("--user-data-dir={}", profile.path().display()))
            .arg("about:blank")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let orders = child.stdin.take().unwrap();
        let said = BufReader::new(child.stdout.take().unwrap());
        let (sender, news) = channel();
        std::thread::spawn(move || {
            for message in said.split(0).map_while(Result::ok) {
                let message = serde_json::from_slice(&message).expect("the protocol is JSON");
                if sender.send(message).is_err() {
                    return;
                }
            }
        });
        let mut chromium = Self {
            child,
            orders,
            news,
            session: None,
            orders_given: 0,
            events: Vec::new(),
            _profile: profile,
        };
        let targets = chromium.call("Target.getTargets", &json!({}));
        let page = targets["targetInfos"]
            .as_array()
            .unwrap()
            .iter()
            .find(|target| target["type"] == "page")
            .expect("a page to begin with")["targetId"]
            .clone();
        let attached = chromium.call(
            "Target.attachToTarget",
            &json!({"targetId": page, "flatten": true}),
        );
        chromium.session = Some(attached["sessionId"].as_str().unwrap().to_owned());
        for domain in ["Page", "Runtime", "Debugger", "Network", "Log"] {
            chromium.call(&format!("{domain}.enable"), &json!({}));
        }
        // That a script ran is seen without them, and some payloads would go on asking for ever.
        let quiet =
            format!("window.alert = window.confirm = window.prompt = () => {{}};\n//# sourceURL={OURS}");
        chromium.call("Page.addScriptToEvaluateOnNewDocument", &json!({"source": quiet}));
        chromium
    }

    /// Gives an order and answers its result.
    pub(crate) fn call(&mut self, method: &str, params: &Value) -> Value {
        let answer = self.ask(method, params);
        answer.unwrap_or_else(|error| panic!("{method}: {error}"))
    }

    fn ask(&mut self, method: &str, params: &Value) -> Result<Value, Value> {
        let id = self.order(method, params);
        loop {
            let message = self.next();
            if message["id"] == id {
                return match &message["error"] {
                    Value::Null => Ok(message["result"].clone()),
                    error => Err(error.clone()),
                };
            }
        }
    }

    fn order(&mut self, method: &str, params: &Value) -> u64 {
        self.orders_given += 1;
        let mut order = json!({"id": self.orders_given, "method": method, "params": params});
        if let Some(session) = &self.session {
            order["sessionId"] = json!(session);
        }
        let mut bytes = order.to_string().into_bytes();
        bytes.push(0);
        self.orders.write_all(&bytes).unwrap();
        self.orders_given
    }

    /// The next message; events are kept, and dialogs answered so that the page goes on.
    fn next(&mut self) -> Value {
        let message = self
            .news
            .recv_timeout(Duration::from_mins(3))
            .expect("the browser says something within three minutes");
        if let Some(method) = message["method"].as_str() {
            let method = method.to_owned();
            if method == "Page.javascriptDialogOpening" {
                self.order("Page.handleJavaScriptDialog", &json!({"accept": true}));
            }
            self.events.push(Event {
                method,
                params: message["params"].clone(),
            });
        }
        message
    }

    /// Opens an address and waits until it and all its frames have loaded and been painted. What happened before is
    /// forgotten.
    pub(crate) fn open(&mut self, url: &str) {
        self.events.clear();
        let answer = self.call("Page.navigate", &json!({"url": url}));
        assert!(answer["errorText"].is_null(), "{url}: {}", answer["errorText"]);
        let deadline = Instant::now() + Duration::from_mins(3);
        while !self
            .events
            .iter()
            .any(|event| event.method == "Page.loadEventFired")
        {
            assert!(Instant::now() < deadline, "{url} does not load");
            self.next();
        }
        self.evaluate(PAINTED);
    }

    /// Runs a script of the test's in the page and answers its value.
    pub(crate) fn evaluate(&mut self, script: &str) -> Value {
        let answer = self.call(
            "Runtime.evaluate",
            &json!({
                "expression": format!("{script}\n//# sourceURL={OURS}"),
                "awaitPromise": true,
                "returnByValue": true,
                "userGesture": true,
            }),
        );
        assert!(
            answer["exceptionDetails"].is_null(),
            "{}",
            answer["exceptionDetails"]
        );
        answer["result"]["value"].clone()
    }

    /// Whether this holds of the page, which may be on its way to another: then it does not.
    pub(crate) fn holds(&mut self, script: &str) -> bool {
        let question =
            json!({"expression": format!("{script}\n//# sourceURL={OURS}"), "returnByValue": true});
        let answer = self.ask("Runtime.evaluate", &question);
        answer.is_ok_and(|answer| answer["result"]["value"] == true)
    }

    /// A window of this width, in a light or a dark scheme.
    pub(crate) fn look(&mut self, width: u64, scheme: &str) {
        let size = json!({"width": width, "height": 844, "deviceScaleFactor": 1, "mobile": false});
        self.call("Emulation.setDeviceMetricsOverride", &size);
        let scheme = json!({"features": [{"name": "prefers-color-scheme", "value": scheme}]});
        self.call("Emulation.setEmulatedMedia", &scheme);
    }

    pub(crate) fn press_tab(&mut self) {
        for kind in ["rawKeyDown", "keyUp"] {
            let key = json!({"type": kind, "key": "Tab", "code": "Tab", "windowsVirtualKeyCode": 9});
            self.call("Input.dispatchKeyEvent", &key);
        }
    }

    /// A picture of the whole page (PNG).
    pub(crate) fn picture(&mut self) -> Vec<u8> {
        let shot = json!({"format": "png", "captureBeyondViewport": true});
        let shot = self.call("Page.captureScreenshot", &shot);
        decoded(shot["data"].as_str().unwrap())
    }

    /// What happened since the page was opened.
    pub(crate) fn events(&self) -> &[Event] {
        &self.events
    }

    /// The page as the browser understood it.
    pub(crate) fn dom(&mut self) -> String {
        let dom = self.evaluate("document.documentElement.outerHTML");
        dom.as_str().unwrap().to_owned()
    }

    /// The page as it was sent.
    pub(crate) fn source(&mut self) -> String {
        let is_page =
            |event: &&Event| event.method == "Network.responseReceived" && event.params["type"] == "Document";
        let page = self.events.iter().rfind(is_page).expect("a page was sent");
        let request = json!({"requestId": page.params["requestId"]});
        let body = self.call("Network.getResponseBody", &request);
        body["body"].as_str().unwrap().to_owned()
    }

    /// What was written to the console: script errors, refused content, failed pictures. That the page itself has the
    /// status of an error is no complaint.
    pub(crate) fn complaints(&self) -> Vec<String> {
        let page = self
            .asked()
            .first()
            .map(|(url, _)| url.clone())
            .unwrap_or_default();
        self.events
            .iter()
            .filter(|event| event.params["entry"]["url"] != page)
            .filter(|event| {
                matches!(
                    event.method.as_str(),
                    "Log.entryAdded" | "Runtime.consoleAPICalled" | "Runtime.exceptionThrown"
                )
            })
            .map(|event| event.params.to_string())
            .collect()
    }

    /// Every address of the web that was asked for, with the kind of thing that was expected there.
    pub(crate) fn asked(&self) -> Vec<(String, String)> {
        self.events
            .iter()
            .filter(|event| event.method == "Network.requestWillBeSent")
            .map(|event| {
                let part = |value: &Value| value.as_str().unwrap_or_default().to_owned();
                (part(&event.params["request"]["url"]), part(&event.params["type"]))
            })
            .filter(|(url, _)| url.starts_with("http"))
            .collect()
    }

    /// Opens a page of frames, tries everything in them that a reader could click, and answers what they did and
    /// what they hold that could run. `origin` is where they come from, and only pictures may come from elsewhere.
    pub(crate) fn inspect(&mut self, url: &str, origin: &str) -> Vec<Finding> {
        self.open(url);
        let held = self.evaluate(&format!("({PROBE})()"));
        let mut findings: Vec<Finding> = held
            .as_array()
            .unwrap()
            .iter()
            .map(|found| Finding {
                url: found[0].as_str().unwrap().to_owned(),
                what: format!("holds {}", found[1].as_str().unwrap()),
            })
            .collect();
        findings.extend(self.deeds(url, origin));
        findings
    }

    /// What the documents did, out of the events.
    fn deeds(&self, page: &str, origin: &str) -> Vec<Finding> {
        let mut findings = Vec::new();
        // Where each frame began, and which frame each context of scripts is in.
        let mut frames: BTreeMap<String, String> = BTreeMap::new();
        let mut contexts: BTreeMap<u64, String> = BTreeMap::new();
        for Event { method, params } in &self.events {
            let part = |value: &Value| value.as_str().unwrap_or_default().to_owned();
            let mut found = |url: String, what: String| findings.push(Finding { url, what });
            let of_frame = |id: &Value| frames.get(&part(id)).cloned().unwrap_or_default();
            match method.as_str() {
                "Page.frameNavigated" => {
                    let (id, url) = (part(&params["frame"]["id"]), part(&params["frame"]["url"]));
                    match frames.get(&id) {
                        Some(first) if *first != url => found(first.clone(), format!("went to {url}")),
                        Some(_) => {}
                        None => {
                            frames.insert(id, url);
                        }
                    }
                }
                "Page.frameRequestedNavigation" | "Page.frameScheduledNavigation" => {
                    let id = part(&params["frameId"]);
                    if let Some(first) = frames.get(&id) {
                        found(first.clone(), format!("goes to {}", params["url"]));
                    }
                }
                "Page.windowOpen" | "Page.downloadWillBegin" => {
                    found(page.to_owned(), format!("opens {}", params["url"]));
                }
                "Page.javascriptDialogOpening" => {
                    found(part(&params["url"]), format!("says {}", params["message"]));
                }
                "Runtime.executionContextCreated" => {
                    let context = &params["context"];
                    contexts.insert(
                        context["id"].as_u64().unwrap(),
                        of_frame(&context["auxData"]["frameId"]),
                    );
                }
                "Debugger.scriptParsed"
                    if params["url"] != OURS && params["executionContextAuxData"]["isDefault"] == true =>
                {
                    let frame = of_frame(&params["executionContextAuxData"]["frameId"]);
                    found(frame, format!("runs a script of {} characters", params["length"]));
                }
                "Runtime.exceptionThrown" => {
                    let details = &params["exceptionDetails"];
                    let context = details["executionContextId"].as_u64().unwrap_or_default();
                    let frame = contexts.get(&context).cloned().unwrap_or_default();
                    found(frame, format!("throws {}", details["exception"]["description"]));
                }
                "Network.requestWillBeSent" => {
                    let url = part(&params["request"]["url"]);
                    let is_ours = url.starts_with(origin) || !url.starts_with("http");
                    if !is_ours && params["type"] != "Image" {
                        found(
                            of_frame(&params["frameId"]),
                            format!("asks {url} for {}", params["type"]),
                        );
                    }
                }
                _ => {}
            }
        }
        findings
    }
}

impl Drop for Chromium {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Looks into every frame for what could run, clicks what can be clicked, and wakes every handler. Links of the web
/// and the search form are not followed; anything else is.
const PROBE: &str = r#"async () => {
    const found = [];
    const active = "script, base, meta[http-equiv], object, embed, applet, frame, frameset, iframe, [srcdoc], link[rel=import]";
    // Of the prototype: a form hands out its fields under the names of its own properties.
    const attribute = (element, name) => element && Element.prototype.getAttribute.call(element, name);
    const names = element => Element.prototype.getAttributeNames.call(element);
    const web = address => /^(https?|mailto):$/.test(address.protocol);
    for (const frame of [...document.querySelectorAll("iframe[data-stage]")]) {
        const page = frame.contentDocument;
        const url = frame.dataset.stage;
        if (!page) { found.push([url, "a document of another origin"]); continue; }
        page.addEventListener("click", click => {
            const link = click.target.closest?.("a[href], area[href]");
            if (link && web(link)) click.preventDefault();
        });
        page.addEventListener("submit", submission => {
            const action = attribute(submission.submitter, "formaction") ?? attribute(submission.target, "action") ?? "";
            if (new URL(action, page.baseURI).protocol.startsWith("http")) submission.preventDefault();
        });
        for (const end of page.querySelectorAll("hr.end")) {
            if (end.parentNode !== page.body) found.push([url, "a piece that reaches over its end"]);
        }
        for (const element of page.querySelectorAll(active)) found.push([url, element.outerHTML.slice(0, 200)]);
        for (const element of page.querySelectorAll("*")) {
            for (const name of names(element)) {
                const value = attribute(element, name);
                const address = /^(href|src|action|formaction|data|poster|xlink:href|background|ping)$/.test(name);
                if (name.startsWith("on")) {
                    found.push([url, `${name}=${value.slice(0, 200)}`]);
                    EventTarget.prototype.dispatchEvent.call(element, new Event(name.slice(2)));
                } else if (address && !/^(https?|mailto):$/.test(new URL(value, page.baseURI).protocol)) {
                    found.push([url, `${name}=${value.slice(0, 200)}`]);
                }
            }
        }
        // Every click would have a long page laid out again.
        frame.style.display = "none";
        for (const element of page.querySelectorAll("a, area, button, input, summary, label")) {
            if (element.click) element.click();
            else element.dispatchEvent(new MouseEvent("click", { bubbles: true, cancelable: true }));
        }
    }
    await new Promise(done => requestAnimationFrame(() => setTimeout(done)));
    return found;
}"#;

/// Base64 (RFC 4648 section 4).
fn decoded(text: &str) -> Vec<u8> {
    const LETTERS: &[u8] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let mut bytes = Vec::new();
    let (mut held, mut bits) = (0_u32, 0);
    for letter in text.bytes().filter_map(|c| LETTERS.iter().position(|&l| l == c)) {
        held = held << 6 | letter as u32;
        bits += 6;
        if bits >= 8 {
            bits -= 8;
            bytes.push((held >> bits) as u8);
        }
    }
    bytes
}
