//! Who may do what at `/admin`: named tokens with roles, sessions that live in the database, and the guard that every
//! page and form there stands behind. Without a token there is no `/admin`: its addresses answer 404.
//!
//! A page for moderators is `admin::page(Role::Moderator, …)`, a form `admin::form(Role::Editor, …)`: both hand the route
//! who is signed in. Whoever is not is shown where to sign in, whatever they asked for.

use std::sync::Arc;

use axum::http::StatusCode;
use axum::http::header::COOKIE;
use axum::routing::MethodRouter;
use chrono::{DateTime, TimeDelta, Utc};
use sha2::{Digest as _, Sha256};
use store::Decision;

use crate::app::State;
use crate::failure::Failure;
use crate::form::Form;
use crate::pages;
use crate::private::{Replied, Reply, Visit, posted, private};
use crate::throttle::Effort;

/// How long a session lasts: a working day.
const LENGTH: TimeDelta = TimeDelta::hours(8);
const COOKIE_NAME: &str = "voice-admin";

/// What somebody may do at `/admin`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Role {
    /// The digests, and no personal data.
    Editor,
    /// All of it.
    Moderator,
}

impl Role {
    fn parse(word: &str) -> Option<Self> {
        match word {
            "editor" => Some(Self::Editor),
            "moderator" => Some(Self::Moderator),
            _ => None,
        }
    }
}

/// Somebody who may sign in at `/admin`.
#[derive(Clone)]
pub struct Admin {
    name: String,
    role: Role,
    token: String,
}

impl std::fmt::Debug for Admin {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} ({:?})", self.name, self.role)
    }
}

impl Admin {
    /// Reads `name:role:token,…` (contract section 1).
    ///
    /// # Errors
    /// Says what is wrong, without any token.
    pub fn list(tokens: &str) -> Result<Vec<Self>, String> {
        let mut admins: Vec<Self> = Vec::new();
        for (number, part) in tokens.split(',').map(str::trim).enumerate() {
            let number = number + 1;
            let mut fields = part.splitn(3, ':').map(str::trim);
            let (name, role, token) = (fields.next(), fields.next(), fields.next());
            let (Some(name), Some(role), Some(token)) = (name, role, token) else {
                return Err(format!("its part {number} is not name:role:token"));
            };
            if name.is_empty()
                || store::NOBODY.contains(&name)
                || admins.iter().any(|admin| admin.name == name)
            {
                return Err(format!(
                    "the name of its part {number} is empty, taken, or one that the log uses for others"
                ));
            }
            let role = Role::parse(role)
                .ok_or_else(|| format!("the role of {name:?} is neither \"moderator\" nor \"editor\""))?;
            admins.push(Self::new(name, role, token)?);
        }
        Ok(admins)
    }

    /// The moderator named `admin`, whose token stands alone in `VOICE_ADMIN_TOKEN`.
    ///
    /// # Errors
    /// If it is empty.
    pub fn alone(token: &str) -> Result<Self, String> {
        Self::new("admin", Role::Moderator, token.trim())
    }

    fn new(name: &str, role: Role, token: &str) -> Result<Self, String> {
        if token.is_empty() {
            return Err(format!("the token of {name:?} is empty"));
        }
        Ok(Self {
            name: name.to_owned(),
            role,
            token: token.to_owned(),
        })
    }

    /// Whether the token is short enough to be guessed in time.
    pub fn is_weak(&self) -> bool {
        self.token.len() < 20
    }

    /// Their name, for a warning.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Compared by their hashes, so that the time it takes tells nothing of the token.
    fn has(&self, token: &str) -> bool {
        Sha256::digest(self.token.as_bytes()) == Sha256::digest(token.as_bytes())
    }
}

/// Who is signed in.
#[derive(Debug, Clone)]
pub(crate) struct Who {
    pub(crate) name: String,
    pub(crate) role: Role,
}

impl Who {
    /// Something that they decide now, for this reason.
    pub(crate) fn decides<'d>(&'d self, why: Option<&'d str>, at: DateTime<Utc>) -> Decision<'d> {
        Decision {
            by: &self.name,
            why: why.filter(|why| !why.is_empty()),
            at,
        }
    }
}

/// A page at `/admin` for whoever has at least this role. `names` are the parameters that it knows.
pub(crate) fn page<F, Fut>(role: Role, names: &'static [&'static str], make: F) -> MethodRouter<Arc<State>>
where
    F: Fn(Visit, Who) -> Fut + Clone + Send + Sync + 'static,
    Fut: Future<Output = Replied> + Send + 'static,
{
    private(names, move |visit| guarded(role, visit, make.clone()))
}

/// What a form at `/admin` does, for whoever has at least this role.
pub(crate) fn form<F, Fut>(role: Role, make: F) -> MethodRouter<Arc<State>>
where
    F: Fn(Visit, Who) -> Fut + Clone + Send + Sync + 'static,
    Fut: Future<Output = Replied> + Send + 'static,
{
    posted(&[], move |visit| guarded(role, visit, make.clone()))
}

async fn guarded<F, Fut>(role: Role, visit: Visit, make: F) -> Replied
where
    F: Fn(Visit, Who) -> Fut,
    Fut: Future<Output = Replied>,
{
    let Some(who) = signed_in(&visit).await? else {
        return Ok(
            Reply::page(pages::admin_sign_in(&visit.asked.site, &Form::default())?)
                .with_status(StatusCode::FORBIDDEN),
        );
    };
    if who.role < role {
        return Err(Failure::Refused(
            "This is for moderators; you are signed in as an editor. Ask a moderator, or sign out and in again with \
             another token."
                .to_owned(),
        ));
    }
    make(visit, who).await
}

/// Who sends this, if they are signed in.
async fn signed_in(visit: &Visit) -> Result<Option<Who>, Failure> {
    let app = &visit.asked.state.app;
    if app.admins.is_empty() {
        return Err(Failure::not_found(
            "No page of ours has this address. The front page lists what there is.",
        ));
    }
    let Some(cookie) = cookie(visit) else {
        return Ok(None);
    };
    let now = visit.asked.state.now();
    let Some(session) = app.store.session(cookie, now).await? else {
        return Ok(None);
    };
    let admin = app
        .admins
        .iter()
        .find(|admin| admin.name == session.name && session.was_opened_by(&admin.token));
    Ok(admin.map(|admin| Who {
        name: admin.name.clone(),
        role: admin.role,
    }))
}

fn cookie(visit: &Visit) -> Option<&str> {
    let cookies = visit.headers.get_all(COOKIE).iter();
    cookies
        .filter_map(|value| value.to_str().ok())
        .flat_map(|value| value.split(';'))
        .filter_map(|pair| pair.trim().split_once('='))
        .find(|(name, _)| *name == COOKIE_NAME)
        .map(|(_, value)| value)
}

/// `POST /admin/sign-in`
pub(crate) async fn sign_in(mut visit: Visit) -> Replied {
    // Also says that there is no /admin, where there is none.
    signed_in(&visit).await?;
    // Counted before it is looked at: the eleventh guess is not answered, right or wrong.
    visit.count(Effort::WrongKey)?;
    let app = &visit.asked.state.app;
    let token = visit.form.value("token");
    let Some(admin) = app.admins.iter().find(|admin| admin.has(token)) else {
        tracing::warn!("somebody tried to sign in at /admin with a token that is nobody's");
        let message = if token.is_empty() {
            "Enter your token"
        } else {
            "This is nobody’s token. Check that you copied all of it"
        };
        // What was typed may be most of a token: it is not sent back.
        visit.form = Form::default();
        visit.form.wrong("token", message);
        return Ok(Reply::mistaken(pages::admin_sign_in(
            &visit.asked.site,
            &visit.form,
        )?));
    };
    let now = visit.asked.state.now();
    let session = app
        .store
        .open_session(&admin.name, &admin.token, now, LENGTH)
        .await?;
    tracing::info!(name = admin.name, "signed in at /admin");
    Ok(Reply::see("/admin".to_owned()).with_cookie(set_cookie(
        &visit,
        session.reveal(),
        LENGTH.num_seconds(),
    )))
}

/// `POST /admin/sign-out`
pub(crate) async fn sign_out(visit: Visit) -> Replied {
    signed_in(&visit).await?;
    if let Some(cookie) = cookie(&visit) {
        visit.asked.store().end_session(cookie).await?;
    }
    Ok(Reply::see("/admin".to_owned()).with_cookie(set_cookie(&visit, "", 0)))
}

/// A cookie that goes to `/admin` alone, from our own pages alone, and by https where the site has it (RFC 6265
/// section 4.1.2).
fn set_cookie(visit: &Visit, value: &str, seconds: i64) -> String {
    let secure = if visit.asked.site.url.starts_with("https:") {
        "; Secure"
    } else {
        ""
    };
    format!("{COOKIE_NAME}={value}; Path=/admin; Max-Age={seconds}; HttpOnly; SameSite=Strict{secure}")
}
