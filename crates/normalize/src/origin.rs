//! Where the entries of a planet come from: `atom:source` (RFC 4287 section 4.2.11) and RSS `source`, which feed-rs
//! reads over. A scan of the text, for feeds that [`crate::repair`] saw such an element in.

/// For each entry of the document, in its order, the address that its `source` names: the other feed's site, else
/// its own address. `None` for an entry without one.
pub(crate) fn sources(xml: &str) -> Vec<Option<String>> {
    let mut sources = Vec::new();
    let mut at = 0;
    while let Some(found) = xml[at..].find('<') {
        at += found;
        let rest = &xml[at..];
        let name_end = rest[1..]
            .find(|c: char| c.is_whitespace() || matches!(c, '>' | '/'))
            .map_or(rest.len(), |end| end + 1);
        match &rest[1..name_end] {
            name if name.starts_with("![CDATA[") => {
                at += rest.find("]]>").unwrap_or(rest.len() - 1);
            }
            "entry" | "item" | "atom:entry" => sources.push(None),
            name @ ("source" | "atom:source") => {
                let end = rest.find(&format!("</{name}")).unwrap_or(name_end);
                if let Some(source) = sources.last_mut() {
                    *source = address(&rest[..end.max(tag_end(rest))]);
                }
                at += end - 1;
            }
            _ => {}
        }
        at += 1;
    }
    sources
}

fn address(source: &str) -> Option<String> {
    let own = &source[..tag_end(source)];
    let links = || {
        source.match_indices("link").filter_map(|(at, _)| {
            let tag = &source[at..];
            Some(&tag[..tag_end(tag)]).filter(|tag| tag.contains("href"))
        })
    };
    let link = links()
        .find(|tag| value(tag, "rel").is_none_or(|rel| rel == "alternate"))
        .or_else(|| links().next());
    let found = value(own, "url").or_else(|| link.and_then(|tag| value(tag, "href")))?;
    let found = crate::entities::decode_references(found.trim());
    (found.starts_with("https://") || found.starts_with("http://")).then(|| found.into_owned())
}

fn tag_end(text: &str) -> usize {
    text.find('>').map_or(text.len(), |end| end + 1)
}

fn value<'a>(tag: &'a str, name: &str) -> Option<&'a str> {
    let (_, rest) = tag.split_once(&format!(" {name}="))?;
    let quote = rest.chars().next().filter(|quote| matches!(quote, '"' | '\''))?;
    rest[1..].split(quote).next()
}

#[cfg(test)]
mod tests {
    use super::sources;

    #[test]
    fn atom_names_the_site_before_the_feed() {
        let xml = "<feed><entry><id>1</id></entry><entry><source><id>x</id><link rel=\"self\" href=\"https://blog.example/feed\"/>\
                   <link href=\"https://blog.example/?a=1&amp;b\"/></source></entry>\
                   <entry><source><link rel='self' href='https://other.example/feed'/></source></entry></feed>";
        assert_eq!(
            sources(xml),
            [
                None,
                Some("https://blog.example/?a=1&b".to_owned()),
                Some("https://other.example/feed".to_owned())
            ]
        );
    }

    #[test]
    fn rss_names_the_feed() {
        let xml = "<rss><item><d><![CDATA[<source url=\"https://no.example/\"><item>]]></d></item>\
                   <item><source url=\"https://blog.example/rss\">Blog</source></item></rss>";
        assert_eq!(sources(xml), [None, Some("https://blog.example/rss".to_owned())]);
        assert_eq!(sources("<rss><item/></rss>"), [None]);
    }
}
