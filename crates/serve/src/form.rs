//! A form as it was sent, and what is wrong with it. Values are kept, so that a page with mistakes shows what was
//! written; a mistake names its field, so that the summary at the top leads there.

use std::collections::HashMap;

use model::clean_text;
use url::form_urlencoded;

/// The largest form that is read, in bytes.
pub(crate) const LARGEST_BYTES: usize = 64 * 1024;
/// The largest that is read of an administrator: a week in an editor's hand may have thousands of posts, of four fields each.
pub(crate) const LARGEST_OF_ADMIN_BYTES: usize = 2 * 1024 * 1024;

/// The fields of a form, each with its values in the order in which they were sent, and the mistakes found in them.
#[derive(Default, Clone)]
pub(crate) struct Form {
    values: HashMap<String, Vec<String>>,
    mistakes: Vec<Mistake>,
    /// Tells the ids of its fields from those of the forms like it that stand before it on the page; 0 for the first.
    nth: usize,
}

/// What is wrong with one field.
#[derive(Clone)]
pub(crate) struct Mistake {
    /// The name of the field.
    pub(crate) field: String,
    /// What is wrong and what to do, in a sentence.
    pub(crate) message: String,
}

impl Form {
    /// Reads `application/x-www-form-urlencoded` (WHATWG URL section 5). Values are trimmed, lines end in `\n`,
    /// and what may stand in no output of ours is left out.
    pub(crate) fn read(body: &[u8]) -> Self {
        let mut form = Self::default();
        for (name, value) in form_urlencoded::parse(body) {
            let value = value.replace("\r\n", "\n").replace('\0', "");
            form.add(&name, &clean_text(value.trim()));
        }
        form
    }

    /// A form that is filled in before it is first shown.
    pub(crate) fn filled<'a>(values: impl IntoIterator<Item = (&'a str, &'a str)>) -> Self {
        let mut form = Self::default();
        for (name, value) in values {
            form.add(name, value);
        }
        form
    }

    /// The form as one of several like it on a page; `nth` counts from 0.
    pub(crate) fn nth(self, nth: usize) -> Self {
        Self { nth, ..self }
    }

    /// The `id` of a field in the page.
    pub(crate) fn id(&self, name: &str) -> String {
        match self.nth {
            0 => name.to_owned(),
            nth => format!("{name}-{}", nth + 1),
        }
    }

    fn add(&mut self, name: &str, value: &str) {
        let values = self.values.entry(name.to_owned()).or_default();
        values.push(value.to_owned());
    }

    /// Gives a field this one value.
    pub(crate) fn set(&mut self, name: &str, value: &str) {
        self.values.insert(name.to_owned(), vec![value.to_owned()]);
    }

    /// The first value of a field; empty where it was not sent.
    pub(crate) fn value(&self, name: &str) -> &str {
        self.values_of(name).next().unwrap_or_default()
    }

    /// Every value of a field.
    pub(crate) fn values_of<'f>(&'f self, name: &str) -> impl Iterator<Item = &'f str> {
        self.values.get(name).into_iter().flatten().map(String::as_str)
    }

    /// Whether this option of a field is chosen.
    pub(crate) fn has(&self, name: &str, option: &str) -> bool {
        self.values_of(name).any(|value| value == option)
    }

    /// Notes that a field is wrong.
    pub(crate) fn wrong(&mut self, field: &str, message: impl Into<String>) {
        self.mistakes.push(Mistake {
            field: field.to_owned(),
            message: message.into(),
        });
    }

    /// The value of a field that has to be there and has `most` characters at most; else the mistake is noted:
    /// `missing` is its sentence, as in "Enter your name".
    pub(crate) fn required(&mut self, name: &str, most: usize, missing: &str) -> Option<String> {
        let value = self.optional(name, most)?;
        if value.is_empty() {
            self.wrong(name, missing);
            return None;
        }
        Some(value)
    }

    /// The value of a field that may be empty and has `most` characters at most; else the mistake is noted.
    pub(crate) fn optional(&mut self, name: &str, most: usize) -> Option<String> {
        let value = self.value(name).to_owned();
        let length = value.chars().count();
        if length > most {
            self.wrong(
                name,
                format!("Shorten this to {most} characters; it has {length}"),
            );
            return None;
        }
        Some(value)
    }

    /// What the chosen one of these options stands for; else the mistake is noted with this sentence.
    pub(crate) fn choice<T: Copy>(&mut self, name: &str, options: &[(&str, T)], missing: &str) -> Option<T> {
        let chosen = options.iter().find(|(option, _)| self.has(name, option));
        if chosen.is_none() {
            self.wrong(name, missing);
        }
        chosen.map(|&(_, value)| value)
    }

    /// Whether nothing is wrong.
    pub(crate) fn is_right(&self) -> bool {
        self.mistakes.is_empty()
    }

    /// What is wrong, in the order in which it was found.
    pub(crate) fn mistakes(&self) -> &[Mistake] {
        &self.mistakes
    }

    /// What is wrong with this field.
    pub(crate) fn mistake(&self, field: &str) -> Option<&str> {
        self.mistakes
            .iter()
            .find(|mistake| mistake.field == field)
            .map(|mistake| mistake.message.as_str())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_are_trimmed_and_cleaned_and_kept() {
        let form = Form::read(b"name=+Si%C3%A2n%00%08+&about=a%0D%0Ab&kind=team&tick=a&tick=b&%FF=x");
        assert_eq!(form.value("name"), "Siân");
        assert_eq!(form.value("about"), "a\nb");
        assert_eq!(form.value("absent"), "");
        assert!(form.has("tick", "b") && !form.has("tick", "c"));
    }

    #[test]
    fn mistakes_name_their_field() {
        let mut form = Form::read(b"name=&long=abcdef&kind=robot");
        assert_eq!(form.required("name", 10, "Enter your name"), None);
        assert_eq!(form.optional("long", 5), None);
        assert_eq!(
            form.choice("kind", &[("person", 1), ("team", 2)], "Choose one"),
            None
        );
        assert!(!form.is_right());
        let fields: Vec<&str> = form
            .mistakes()
            .iter()
            .map(|mistake| mistake.field.as_str())
            .collect();
        assert_eq!(fields, ["name", "long", "kind"]);
        assert_eq!(form.mistake("name"), Some("Enter your name"));
        assert_eq!(form.mistake("other"), None);
        let mut right = Form::read(b"name=Ann&kind=team");
        assert_eq!(
            right.required("name", 10, "Enter your name").as_deref(),
            Some("Ann")
        );
        assert_eq!(
            right.choice("kind", &[("person", 1), ("team", 2)], "Choose one"),
            Some(2)
        );
        assert!(right.is_right());
    }
}
