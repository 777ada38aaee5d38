//! A walk through pages for one person, each looked at from all sides: by axe, narrow and dark as wide and light, by its headings,
//! its ids and the keyboard alone, and by the HTML checker at the end. A picture of each lies beside the built tests.

use std::path::Path;
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use super::chromium::{self, Chromium};
use super::{Server, checker, html};

/// Somebody who walks from page to page, and looks at each from all sides.
pub(crate) struct Walk {
    pub(crate) browser: Chromium,
    pub(crate) address: String,
    axe: Option<String>,
    /// What was seen on the way, each page as it was sent.
    pages: Vec<(String, String)>,
}

impl Walk {
    pub(crate) fn start(server: &Server) -> Self {
        let axe = checker("axe-core/axe.min.js");
        Self {
            browser: Chromium::start(),
            axe: axe.map(|file| std::fs::read_to_string(file).unwrap()),
            address: server.address.clone(),
            pages: Vec::new(),
        }
    }

    /// Opens a page, on which these words stand.
    pub(crate) fn opens(&mut self, path: &str, words: &str) {
        self.browser.open(&format!("http://{}{path}", self.address));
        self.looks(words);
    }

    /// Fills in the form of this button, presses it, and comes to a page on which these words stand.
    pub(crate) fn sends(&mut self, button: &str, fields: &[(&str, &str)], words: &str) {
        let script = format!(
            "(() => {{ const button = document.querySelector({}), form = button.form; window.before = true;
                for (let details = button; details = details.closest('details:not([open])');) details.open = true;
                for (const [name, value] of {}) {{
                    const field = form.elements[name];
                    if (field.type == 'checkbox') field.checked = true; else field.value = value;
                }}
                setTimeout(() => button.click()) }})()",
            json!(button),
            json!(fields)
        );
        self.browser.evaluate(&script);
        let deadline = Instant::now() + Duration::from_mins(1);
        while !self
            .browser
            .holds("!window.before && document.readyState == 'complete'")
        {
            assert!(Instant::now() < deadline, "{button} leads nowhere");
            std::thread::yield_now();
        }
        // What asks for the focus gets it when the page is painted.
        self.browser.evaluate(chromium::PAINTED);
        self.looks(words);
    }

    pub(crate) fn text(&mut self, script: &str) -> String {
        self.browser
            .evaluate(script)
            .as_str()
            .unwrap_or_default()
            .to_owned()
    }

    /// Looks at the page that is there.
    fn looks(&mut self, words: &str) {
        let says = self.text("document.title + '\\n' + document.body.innerText");
        assert!(says.contains(words), "{words:?} stands nowhere in: {says}");
        let headings = self
            .browser
            .evaluate("[...document.querySelectorAll('h1, h2, h3, h4, h5, h6')].map(h => +h.localName[1])");
        let levels: Vec<u64> = headings
            .as_array()
            .unwrap()
            .iter()
            .filter_map(Value::as_u64)
            .collect();
        assert_eq!(
            levels.iter().filter(|&&level| level == 1).count(),
            1,
            "{words}: {levels:?}"
        );
        // The summary of mistakes stands before the heading of the page.
        let is_mistaken = says.contains("There is a problem");
        let levels = &levels[usize::from(is_mistaken)..];
        assert!(
            levels[0] == 1 && levels.windows(2).all(|pair| pair[1] <= pair[0] + 1),
            "{words}: {levels:?}"
        );
        if is_mistaken {
            self.mistakes_lead_to_their_fields(words);
        }
        assert_eq!(self.browser.evaluate(chromium::LOST), json!([]), "{words}");
        let source = self.browser.source();
        self.pages.push((words.to_owned(), source));
        for (width, scheme) in [(390, "dark"), (1280, "light")] {
            self.browser.look(width, scheme);
            let needed = self.browser.evaluate("document.documentElement.scrollWidth");
            assert!(
                needed.as_u64().unwrap() <= width,
                "{words} needs {needed} of {width} pixels"
            );
            if let Some(axe) = &self.axe {
                self.browser.evaluate(&format!("{axe};0"));
                assert_eq!(
                    self.browser.evaluate(chromium::AXE),
                    json!([]),
                    "{words}, {scheme}"
                );
            }
            self.picture(words, width);
        }
        self.is_walked_by_keyboard(words);
    }

    /// GOV.UK's error summary: it has the focus, the title says "Error", and each mistake leads to a field that says it too.
    fn mistakes_lead_to_their_fields(&mut self, words: &str) {
        assert_eq!(
            self.browser
                .evaluate("document.activeElement.matches('.error-summary')"),
            true,
            "{words}: the summary has no focus"
        );
        let title = self.text("document.title");
        assert!(title.starts_with("Error: "), "{words}: {title}");
        let lost = self.browser.evaluate(
            "[...document.querySelectorAll('.error-summary a')].filter(link => {
                const field = document.querySelector(link.hash);
                const near = field && (field.closest('.form-group, section') || field);
                // Who does not see it hears it with the field.
                const told = !field?.matches('input, select, textarea, fieldset')
                    || (field.ariaInvalid == 'true' && (field.getAttribute('aria-describedby') || '').includes('-mistake'));
                return !near || !told || ![...near.querySelectorAll('.error-message')].some(it => it.textContent.includes(link.textContent))
            }).map(link => link.outerHTML)",
        );
        assert_eq!(lost, json!([]), "{words}");
    }

    /// Everything that can be used is reached by Tab, and is seen to have the focus.
    fn is_walked_by_keyboard(&mut self, words: &str) {
        const STOPS: &str = "[...document.querySelectorAll('a[href], button, input:not([type=hidden]), select, textarea, summary, \
                             [tabindex=\"0\"]')].filter(it => it.checkVisibility())";
        self.browser.look(390, "light");
        let count = self
            .browser
            .evaluate(&format!("{STOPS}.length"))
            .as_u64()
            .unwrap();
        self.browser.evaluate(
            "document.body.tabIndex = -1; document.body.focus(); document.body.removeAttribute('tabindex'); scrollTo(0, 0)",
        );
        for _ in 0..count {
            self.browser.press_tab();
            let focus = self.browser.evaluate(
                "(() => { const at = document.activeElement, style = getComputedStyle(at), box = at.getBoundingClientRect();
                    at.visited = true;
                    return [at.outerHTML.slice(0, 90), style.outlineStyle == 'solid' && parseFloat(style.outlineWidth) >= 2,
                        box.bottom > 0 && box.top < innerHeight && box.width > 1, at.localName] })()",
            );
            if focus[3] == "body" {
                break;
            }
            assert!(focus[1] == true && focus[2] == true, "{words}: {focus}");
        }
        let missed = self.browser.evaluate(&format!(
            "{STOPS}.filter(it => !it.visited && !(it.type == 'radio' && [...it.form.elements[it.name]].some(one => one.visited)))
                .map(it => it.outerHTML.slice(0, 90))"
        ));
        assert_eq!(missed, json!([]), "{words}: no Tab leads there");
    }

    fn picture(&mut self, words: &str, width: u64) {
        let name: String = words
            .chars()
            .map(|c| if c.is_ascii_alphanumeric() { c } else { '-' })
            .collect();
        let test = std::thread::current();
        let test = test.name().unwrap_or_default();
        let file = format!("{test}-{:02}-{name}-{width}.png", self.pages.len());
        let picture = self.browser.picture();
        std::fs::write(Path::new(env!("CARGO_TARGET_TMPDIR")).join(file), picture).unwrap();
    }

    /// Ends the walk: every page on the way was valid HTML.
    pub(crate) fn ends(self) {
        html::assert_valid(&self.pages);
    }
}
