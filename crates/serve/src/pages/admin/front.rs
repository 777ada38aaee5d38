//! Where moderators and editors sign in, and what waits for them.

use std::sync::Arc;

use askama::Template;
use model::{FeedStatus, Site, Week};

use super::super::page;
use super::super::shell::Shell;
use super::shell;
use crate::admin::{Role, Who};
use crate::asked::Made;
use crate::form::Form;
use crate::private::{Replied, Reply, Visit};

#[derive(Template)]
#[template(path = "admin/sign_in.html")]
struct SignIn<'f> {
    shell: Shell,
    form: &'f Form,
}

/// Where to sign in.
pub(crate) fn admin_sign_in(site: &Arc<Site>, form: &Form) -> Made {
    let title = if form.is_right() {
        "Sign in"
    } else {
        "Error: Sign in"
    };
    page(&SignIn {
        shell: shell(site, title),
        form,
    })
}

#[derive(Template)]
#[template(path = "admin/front.html")]
struct Front {
    shell: Shell,
    who: Who,
    is_moderator: bool,
    pending: usize,
    held: usize,
    proposed: usize,
    reports: u64,
    disputes: usize,
    left_out: u32,
    ended: Week,
    running: Week,
}

/// `/admin`
pub(crate) async fn front(visit: Visit, who: Who) -> Replied {
    let store = visit.asked.store();
    let feeds = store.feeds().await?;
    let count = |is: fn(&model::Feed) -> bool| feeds.iter().filter(|feed| is(feed)).count();
    let left_out = store.left_out_counts().await?;
    let running = Week::of(visit.asked.state.now(), visit.asked.site.timezone);
    Ok(Reply::page(page(&Front {
        shell: shell(&visit.asked.site, "Behind the scenes"),
        is_moderator: who.role == Role::Moderator,
        who,
        pending: count(|feed| feed.status == FeedStatus::Pending),
        held: count(|feed| feed.held.is_some()),
        proposed: count(|feed| feed.proposed.is_some()),
        reports: store.open_reports().await?,
        disputes: store.disputes().await?.len(),
        left_out: left_out.iter().map(|of| of.entries).sum(),
        ended: running.previous(),
        running,
    })?))
}
