//! What a feed says of how often and when it wants to be asked, beside `ttl`: RSS `skipHours` and `skipDays`, and the
//! syndication module's `sy:updatePeriod` and `sy:updateFrequency`, all of which feed-rs reads over.
//!
//! A scan of the text before the first entry. What the words mean is for whoever keeps the schedule.

/// A feed's wishes, in its own words.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Cadence {
    /// `sy:updatePeriod`: `hourly`, `daily` and so on.
    pub period: Option<String>,
    /// `sy:updateFrequency`: how many times in each period.
    pub frequency: Option<String>,
    /// Each `hour` of `skipHours`, in GMT.
    pub skip_hours: Vec<String>,
    /// Each `day` of `skipDays`, in GMT.
    pub skip_days: Vec<String>,
}

/// Finds the wishes of a feed in its markup.
pub fn cadence(xml: &str) -> Cadence {
    let mut found = Cadence::default();
    let mut list: Option<&str> = None;
    let mut rest = xml;
    while let Some(at) = rest.find('<') {
        rest = &rest[at + 1..];
        if let Some(end) = ["!--", "![CDATA["]
            .into_iter()
            .zip(["-->", "]]>"])
            .find_map(|(opens, ends)| rest.starts_with(opens).then_some(ends))
        {
            rest = rest.find(end).map_or("", |at| &rest[at + end.len()..]);
            continue;
        }
        let name_end = rest
            .find(|c: char| c.is_whitespace() || matches!(c, '>' | '/'))
            .unwrap_or(rest.len());
        let name = rest[..name_end].rsplit(':').next().unwrap_or_default();
        let text = || {
            let (_, after) = rest.split_once('>')?;
            let words = after.split('<').next()?.trim();
            (!words.is_empty()).then(|| words.to_owned())
        };
        match name {
            "item" | "entry" => break,
            "updatePeriod" => found.period = text().or(found.period),
            "updateFrequency" => found.frequency = text().or(found.frequency),
            "skipHours" | "skipDays" => list = Some(name),
            "hour" if list == Some("skipHours") => found.skip_hours.extend(text()),
            "day" if list == Some("skipDays") => found.skip_days.extend(text()),
            // The end of an element; a list ends with its own.
            "" if rest.starts_with("/skip") => list = None,
            _ => {}
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    fn words(found: &[&str]) -> Vec<String> {
        found.iter().map(|&word| word.to_owned()).collect()
    }

    #[test]
    fn wishes_in_a_feed() {
        let xml = "<?xml version=\"1.0\"?><rss xmlns:sy=\"x\"><channel><title>A blog of one hour and one day</title>\
                   <!-- <skipDays><day>Friday</day></skipDays> --><hour>3</hour>\
                   <sy:updatePeriod>\n\thourly\t</sy:updatePeriod><sy:updateFrequency>2</sy:updateFrequency>\
                   <skipHours><hour>0</hour> <hour> 1 </hour><hour/></skipHours><hour>4</hour>\
                   <skipDays><day>Saturday</day><day>Sunday</day></skipDays><day>Monday</day>\
                   <item><skipHours><hour>5</hour></skipHours></item></channel></rss>";
        assert_eq!(
            cadence(xml),
            Cadence {
                period: Some("hourly".to_owned()),
                frequency: Some("2".to_owned()),
                skip_hours: words(&["0", "1"]),
                skip_days: words(&["Saturday", "Sunday"]),
            }
        );
    }

    #[test]
    fn other_prefixes_and_feeds_that_wish_nothing() {
        let xml = "<rdf:RDF><channel><syn:updatePeriod>daily</syn:updatePeriod></channel><item>";
        assert_eq!(cadence(xml).period.as_deref(), Some("daily"));
        for xml in [
            "",
            "<",
            "<feed><entry><updatePeriod>hourly</updatePeriod></entry></feed>",
            "<![CDATA[<skipHours><hour>1</hour></skipHours>",
            "{\"version\": \"https://jsonfeed.org/version/1.1\"}",
            "<skipHours><hour>",
        ] {
            assert_eq!(cadence(xml), Cadence::default(), "{xml}");
        }
    }
}
