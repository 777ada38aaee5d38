//! Which address gives what. Names in braces are slugs, tags, keys or weeks; a route knows the parameters it
//! lists and leaves others alone.

use std::sync::Arc;

use axum::Router;
use axum::routing::get;

use crate::admin::Role;
use crate::app::{State, fresh, kept};
use crate::feeds::Format;
use crate::private::{posted, private};
use crate::{admin, digests, entries_json, feeds, fixed, health, metrics, openapi, pages, troubles, websub};

const NONE: &[&str] = &[];

/// What a process answers that polls and serves nothing to readers.
pub(crate) fn of_a_fetcher() -> Router<Arc<State>> {
    Router::new()
        .route("/healthz", get(health::alive))
        .route("/metrics", get(metrics::metrics))
}

/// Where bloggers join, and what is theirs alone.
fn of_members() -> Router<Arc<State>> {
    Router::new()
        .route(
            "/register",
            private(pages::REGISTER_PARAMETERS, pages::register)
                .merge(posted(NONE, pages::take_registration)),
        )
        .route(
            "/manage/{token}",
            private(pages::MANAGE_PARAMETERS, pages::manage)
                .merge(posted(pages::MANAGE_PARAMETERS, pages::take_manage)),
        )
        .route("/manage/{token}/data.json", private(NONE, pages::manage_data))
        .route(
            "/manage/{token}/posts/{key}",
            private(NONE, pages::manage_post).merge(posted(NONE, pages::take_manage_post)),
        )
        .route(
            "/confirm/{code}",
            private(NONE, pages::confirm).merge(posted(NONE, pages::confirmed)),
        )
        .route(
            "/unsubscribe/{code}",
            private(NONE, pages::unsubscribe).merge(posted(NONE, pages::unsubscribed)),
        )
        .route("/members/{slug}/health.atom", fresh(NONE, troubles::health_feed))
        .route("/members/{slug}/badge.svg", kept(NONE, troubles::badge))
}

/// What a process answers that serves the site.
pub(crate) fn of_the_site() -> Router<Arc<State>> {
    let mut routes = Router::new()
        .route("/", kept(pages::RIVER_PARAMETERS, pages::home))
        .route("/topics", kept(NONE, pages::topics))
        .route("/topics/{slug}", kept(pages::RIVER_PARAMETERS, pages::topic))
        .route("/topics/{slug}/opml", kept(NONE, feeds::topic_opml))
        .route("/members", kept(NONE, pages::members))
        .route("/members/{slug}", fresh(pages::RIVER_PARAMETERS, pages::member))
        .route("/hashtags/{tag}", kept(pages::RIVER_PARAMETERS, pages::hashtag))
        .route("/entries/{key}", kept(NONE, pages::entry))
        .route(
            "/entries.json",
            kept(entries_json::PARAMETERS, entries_json::entries_json),
        )
        .route("/opml", kept(NONE, feeds::opml))
        .route("/archive/{page}", kept(NONE, feeds::archive))
        .route(
            "/members/{slug}/archive/{page}",
            kept(NONE, feeds::archive_of_member),
        )
        .route("/search", kept(pages::SEARCH_PARAMETERS, pages::search))
        .route("/digest", fresh(digests::ISSUES_PARAMETERS, digests::issues))
        .route("/digest/{week}", fresh(digests::PARAMETERS, digests::week))
        .route("/digest/{week}/{name}", fresh(NONE, digests::of_week))
        .route("/about", kept(NONE, pages::about))
        .route("/feeds", kept(NONE, pages::feeds))
        .route("/privacy", kept(NONE, pages::privacy))
        .route("/accessibility", kept(NONE, pages::accessibility))
        .route("/fetching", fresh(NONE, pages::fetching))
        .route("/schemas/digest-1.json", kept(NONE, fixed::digest_schema))
        .route("/schemas/entries-1.json", kept(NONE, fixed::entries_schema))
        .route("/openapi.json", kept(NONE, openapi::openapi))
        .route("/robots.txt", kept(NONE, fixed::robots))
        .route("/.well-known/security.txt", fresh(NONE, fixed::security))
        .route("/favicon.svg", kept(NONE, fixed::favicon))
        .route(fixed::style_path(), kept(NONE, fixed::style))
        .route(fixed::feed_style_path(), kept(NONE, fixed::feed_style))
        .route("/readyz", get(health::ready))
        .route("/why", fresh(pages::WHY_PARAMETERS, pages::why))
        .route("/why.json", fresh(pages::WHY_PARAMETERS, pages::why_json))
        .route(
            "/entries/{key}/report",
            private(pages::REPORT_PARAMETERS, pages::report).merge(posted(NONE, pages::take_report)),
        )
        .merge(behind_the_scenes())
        .merge(websub::callbacks())
        .merge(of_members())
        .merge(of_a_fetcher());
    for format in Format::ALL {
        let extension = format.extension();
        routes = routes
            .route(
                &format!("/digest/feed.{extension}"),
                fresh(NONE, move |asked| digests::feed(asked, format)),
            )
            .route(
                &format!("/feed.{extension}"),
                kept(NONE, move |asked| feeds::all(asked, format)),
            )
            .route(
                &format!("/topics/{{slug}}/feed.{extension}"),
                kept(NONE, move |asked| feeds::topic(asked, format)),
            )
            .route(
                &format!("/members/{{slug}}/feed.{extension}"),
                kept(NONE, move |asked| feeds::member(asked, format)),
            )
            .route(
                &format!("/hashtags/{{tag}}/feed.{extension}"),
                kept(NONE, move |asked| feeds::hashtag(asked, format)),
            )
            .route(
                &format!("/search/feed.{extension}"),
                kept(&["q"], move |asked| feeds::search(asked, format)),
            );
    }
    routes
}

/// What moderators and editors see.
fn behind_the_scenes() -> Router<Arc<State>> {
    use pages::admin as at;
    let moderator = Role::Moderator;
    Router::new()
        .route("/admin", admin::page(Role::Editor, NONE, at::front))
        .route("/admin/sign-in", posted(NONE, admin::sign_in))
        .route("/admin/sign-out", posted(NONE, admin::sign_out))
        .route(
            "/admin/digest/{week}",
            admin::page(Role::Editor, at::DONE, at::digest).merge(admin::form(Role::Editor, at::save_digest)),
        )
        .route("/admin/feeds", admin::page(moderator, at::LIST, at::feeds))
        .route("/admin/feeds/{slug}", admin::form(moderator, at::decide_feed))
        .route(
            "/admin/members/{slug}",
            admin::page(moderator, at::DONE, at::member).merge(admin::form(moderator, at::decide_member)),
        )
        .route("/admin/entry", admin::page(moderator, at::FIND, at::find))
        .route(
            "/admin/entries/{key}",
            admin::page(moderator, at::DONE, at::entry).merge(admin::form(moderator, at::decide_entry)),
        )
        .route("/admin/reports", admin::page(moderator, at::DONE, at::reports))
        .route(
            "/admin/reports/{reference}",
            admin::form(moderator, at::answer_report),
        )
        .route("/admin/disputes", admin::page(moderator, at::DONE, at::disputes))
        .route(
            "/admin/disputes/{key}",
            admin::form(moderator, at::settle_dispute),
        )
        .route("/admin/left-out", admin::page(moderator, NONE, at::left_out))
        .route("/admin/audit", admin::page(moderator, at::AUDIT, at::audit))
}
