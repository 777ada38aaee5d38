//! Where the links of our mails lead: a page with a button, so that nothing happens when a mail gateway looks at the
//! link, and what the button does. A mail program may press the second one for its reader (RFC 8058).

use askama::Template;

use super::page;
use super::shell::{Part, Shell};
use crate::failure::Failure;
use crate::private::{Replied, Reply, Visit};
use crate::throttle::Effort;

#[derive(Template)]
#[template(path = "letter.html")]
struct LetterPage {
    shell: Shell,
    words: &'static str,
    button: Option<(String, &'static str)>,
}

fn answer(visit: &Visit, title: &str, words: &'static str, button: Option<&'static str>) -> Replied {
    let shell = Shell::new(&visit.asked.site, Part::Elsewhere, Some(title.to_owned())).of_form(&visit.form);
    Ok(Reply::page(page(&LetterPage {
        shell,
        words,
        button: button.map(|button| (visit.asked.path.clone(), button)),
    })?))
}

fn worth_nothing(visit: &Visit, words: &str) -> Failure {
    visit
        .count(Effort::WrongKey)
        .err()
        .unwrap_or_else(|| Failure::not_found(words))
}

/// `GET /confirm/{code}`
pub(crate) async fn confirm(visit: Visit) -> Replied {
    answer(
        &visit,
        "Confirm your e-mail address",
        "Press the button to be told by mail when something is wrong with your blog’s feed, when it is well again, and what was decided about your blog.",
        Some("Yes, this address is mine"),
    )
}

/// `POST /confirm/{code}`
pub(crate) async fn confirmed(visit: Visit) -> Replied {
    let now = visit.asked.state.now();
    match visit.asked.store().confirm_email(&visit.asked.name, now).await? {
        Some(_) => answer(
            &visit,
            "Your address is confirmed",
            "From now on you hear from us when there is trouble, and at no other time. Each mail says how to end them.",
            None,
        ),
        None => Err(worth_nothing(
            &visit,
            "This link confirms nothing any more: the address was forgotten, or another was given instead. Your own page tells.",
        )),
    }
}

/// `GET /unsubscribe/{code}`
pub(crate) async fn unsubscribe(visit: Visit) -> Replied {
    if visit.asked.store().is_subscribed(&visit.asked.name).await? {
        answer(
            &visit,
            "Get no more of these mails",
            "Press the button, and we forget your e-mail address. What we would have told you stands on your own page.",
            Some("Send me no more"),
        )
    } else {
        answer(
            &visit,
            "You get no mail from us",
            "No mail goes to the address that this link belongs to, and we hold it no more.",
            None,
        )
    }
}

/// `POST /unsubscribe/{code}`: whatever was done before, no mail goes to that address afterwards.
pub(crate) async fn unsubscribed(visit: Visit) -> Replied {
    visit.asked.store().unsubscribe(&visit.asked.name).await?;
    answer(
        &visit,
        "You get no more of these mails",
        "We have forgotten your e-mail address.",
        None,
    )
}
