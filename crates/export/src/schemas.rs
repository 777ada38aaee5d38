//! JSON Schemas (2020-12) of the documents that are sent. They carry no `$id`: who serves them knows where.

/// The digest: `/schemas/digest-1.json`.
pub const DIGEST: &str = include_str!("../schemas/digest-1.json");

/// The JSON export: `/schemas/entries-1.json`; a line of `voice export --format jsonl` is its `$defs/entry`.
pub const ENTRIES: &str = include_str!("../schemas/entries-1.json");

#[cfg(test)]
pub(crate) mod tests {
    use serde_json::Value;

    /// Panics with every place where `document` is not what `schema` says.
    pub(crate) fn assert_valid(schema: &str, document: &Value) {
        let schema: Value = serde_json::from_str(schema).unwrap();
        jsonschema::draft202012::meta::validate(&schema).expect("the schema is a schema");
        let validator = jsonschema::options()
            .should_validate_formats(true)
            .build(&schema)
            .expect("the schema compiles");
        let errors: Vec<_> = validator
            .iter_errors(document)
            .map(|error| format!("{}: {error}", error.instance_path()))
            .collect();
        assert!(errors.is_empty(), "{errors:#?}");
    }

    #[test]
    fn both_describe_the_same_entry() {
        let read = |schema: &str| serde_json::from_str::<Value>(schema).unwrap();
        let (digest, entries) = (read(super::DIGEST), read(super::ENTRIES));
        for shared in ["member", "topic", "image"] {
            assert_eq!(digest["$defs"][shared], entries["$defs"][shared], "{shared}");
        }
        let mut properties = entries["$defs"]["entry"]["properties"].clone();
        properties.as_object_mut().unwrap().remove("content_html");
        for (key, described) in properties.as_object().unwrap() {
            assert_eq!(&digest["$defs"]["entry"]["properties"][key], described, "{key}");
        }
    }
}
