//! A notice as a letter: its subject and its words. Plain text, so that nothing in it runs, loads or counts.

use model::Site;
use store::{Mail, NoticeKind};

/// A mail without its envelope.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Letter {
    pub(crate) subject: String,
    pub(crate) text: String,
    /// Where a button ends all mail (RFC 8058); the one mail that asks for a confirmation needs none.
    pub(crate) unsubscribe: Option<String>,
}

/// The letter that tells of this.
pub(crate) fn letter(mail: &Mail, site: &Site) -> Letter {
    let title = &site.title;
    let feed = mail.feed.as_deref().unwrap_or("your feed");
    let why = |before: &str| {
        mail.words
            .as_deref()
            .map_or_else(String::new, |words| format!("\n\n{before}{words}"))
    };
    let page = "What you can do stands on your own page, which your private link opens. If you lost the link, enter the \
                address of your blog again at";
    let own_page = format!("{page} {}", site.absolute("/register"));
    let (subject, body) = match mail.kind {
        NoticeKind::Confirm => (
            format!("Please confirm your address for {title}"),
            format!(
                "Somebody, probably you, gave this address to be told when something is wrong with a blog at {title}.\n\n\
                 If that was you, open this page and press the button there:\n\n{}\n\nIf it was not you, do nothing. We \
                 send no other mail before you press the button, and forget this address after seven days.",
                site.absolute(&format!("/confirm/{}", mail.code.as_deref().unwrap_or_default()))
            ),
        ),
        NoticeKind::Registered => (
            format!("Your blog waits for a moderator of {title}"),
            format!(
                "You asked to join {title} with this feed:\n\n{feed}\n\nNothing of it is shown until a moderator has looked at it. You will hear from us.\n\n{own_page}"
            ),
        ),
        NoticeKind::Approved => (
            format!("Your blog is in {title}"),
            format!(
                "A moderator has taken on this feed:\n\n{feed}{}\n\nIt is being read now. Its page: {}\n\n{own_page}",
                why("They say: "),
                site.absolute(&format!("/members/{}", mail.member))
            ),
        ),
        NoticeKind::Rejected => (
            format!("Your blog was not taken into {title}"),
            format!(
                "A moderator has looked at this feed and did not take it on:\n\n{feed}{}\n\nIf you think that this is \
                 wrong, answer by the ways that {} names.",
                why("They say: "),
                site.absolute("/about")
            ),
        ),
        NoticeKind::Broke => (
            format!("{title} cannot read your feed"),
            format!(
                "We have trouble with this feed:\n\n{feed}{}\n\nWe go on asking, and tell you when it is well again. The posts \
                 that we hold stay.\n\n{own_page}",
                why("")
            ),
        ),
        NoticeKind::Well => (
            format!("{title} reads your feed again"),
            format!("This feed is well again:\n\n{feed}\n\nThere is nothing for you to do."),
        ),
    };
    let unsubscribe = (mail.kind != NoticeKind::Confirm)
        .then(|| site.absolute(&format!("/unsubscribe/{}", mail.unsubscribe)));
    let foot = match &unsubscribe {
        Some(address) => {
            format!("\n\nTo get no more of these mails, open this page and press its button:\n{address}")
        }
        None => String::new(),
    };
    Letter {
        subject: one_line(&subject),
        text: format!(
            "Hello {},\n\n{body}{foot}\n\n-- \n{title}\n{}\n",
            one_line(&mail.name),
            site.url
        ),
        unsubscribe,
    }
}

/// A name or a title may hold no line of its own.
fn one_line(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;

    pub(crate) fn site() -> Site {
        Site {
            title: "Example Voice".to_owned(),
            subtitle: String::new(),
            url: "https://voice.example.org".to_owned(),
            language: "en-GB".to_owned(),
            timezone: chrono_tz::UTC,
            contact: String::new(),
            email: None,
            pictures: model::Pictures::Off,
            ai_training: false,
            hub: None,
            network_hashtags: Vec::new(),
            hashtag_groups: Vec::new(),
            topics: Vec::new().into(),
            digest_schedule: String::new(),
            digest_late_days: 28,
        }
    }

    fn mail(kind: NoticeKind) -> Mail {
        Mail {
            id: 1,
            kind,
            member: "ann".to_owned(),
            name: "Ann\r\nBcc: evil@example.org".to_owned(),
            address: "ann@example.org".to_owned(),
            unsubscribe: "u".repeat(64),
            feed: Some("https://ann.example/feed".to_owned()),
            words: Some("the server says 500".to_owned()),
            code: Some("c".repeat(64)),
        }
    }

    #[test]
    fn each_notice_has_its_words() {
        for (kind, words) in [
            (NoticeKind::Registered, "waits for a moderator"),
            (NoticeKind::Approved, "/members/ann"),
            (NoticeKind::Rejected, "did not take it on"),
            (NoticeKind::Broke, "the server says 500"),
            (NoticeKind::Well, "well again"),
        ] {
            let letter = letter(&mail(kind), &site());
            let said = format!("{}\n{}", letter.subject, letter.text);
            assert!(said.contains(words), "{said}");
            assert!(said.contains("https://ann.example/feed"), "{said}");
            assert_eq!(
                letter.unsubscribe,
                Some(format!(
                    "https://voice.example.org/unsubscribe/{}",
                    "u".repeat(64)
                ))
            );
            assert!(!letter.text.contains(&"c".repeat(64)));
            assert!(letter.text.starts_with("Hello Ann Bcc: evil@example.org,"));
        }
    }

    #[test]
    fn the_first_mail_asks_and_nothing_else() {
        let letter = letter(&mail(NoticeKind::Confirm), &site());
        assert!(
            letter
                .text
                .contains(&format!("https://voice.example.org/confirm/{}", "c".repeat(64)))
        );
        assert_eq!(letter.unsubscribe, None);
        assert!(!letter.text.contains(&"u".repeat(64)));
    }
}
