//! Sends what waits to be sent, one mail after another, for as long as the program runs.

use std::sync::Arc;
use std::time::Duration;

use chrono::TimeDelta;
use lettre::message::header::{ContentType, Header, HeaderName, HeaderValue};
use lettre::transport::smtp::authentication::Credentials;
use lettre::transport::smtp::client::{Tls, TlsParameters};
use lettre::{AsyncSmtpTransport, AsyncTransport as _, Message, Tokio1Executor};
use model::{Clock, Site};
use store::{Mail, Store, StoreError};
use tokio::sync::watch;
use url::Url;

use crate::letter::{Letter, letter};

/// How often we look for something to send.
const EVERY: Duration = Duration::from_secs(3);
/// How long the server may take over one command.
const PATIENCE: Duration = Duration::from_secs(20);
/// How long a mail stays with one who claimed it: longer than sending it can take. Then somebody else may.
const CLAIM: TimeDelta = TimeDelta::seconds(60);
/// How long to wait after a failure, more each time that it happens in a row, up to the second.
const BREATH: TimeDelta = TimeDelta::minutes(1);
const LONGEST_BREATH: TimeDelta = TimeDelta::hours(1);
/// When what was refused for good is tried again: its news is old by then.
const NEVER: TimeDelta = TimeDelta::days(365);

/// The mail server, and in whose name it is asked.
#[derive(Clone)]
pub struct SmtpSettings {
    /// `smtp://` (with STARTTLS where the server offers it) or `smtps://`, with the user but not the password.
    pub server: Url,
    /// The password of that user.
    pub password: Option<String>,
    /// The sender's address.
    pub from: String,
}

/// What is wrong with the settings of the mail server.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum MailError {
    /// The server's address has no host.
    #[error("[mail] smtp names no host; write \"smtps://user@host:465\"")]
    NoHost,
    /// There is a user and no password.
    #[error("[mail] smtp names a user, and VOICE_SMTP_PASSWORD is not set; set it, or take the user out")]
    NoPassword,
    /// The sender's address cannot be read.
    #[error("[mail] from = {0:?} cannot be a sender's address; write \"voice@example.org\"")]
    From(String),
    /// No secure connection can be made.
    #[error("no secure connection to the mail server can be made: {0}")]
    Tls(#[source] lettre::transport::smtp::Error),
}

/// Sends the mails of one Voice.
pub struct PostOffice {
    store: Store,
    clock: Arc<dyn Clock>,
    server: Option<Server>,
}

struct Server {
    transport: AsyncSmtpTransport<Tokio1Executor>,
    from: lettre::Address,
}

impl PostOffice {
    /// One that sends by this server; without one it sends nothing, and notices stand on the members' own pages alone.
    ///
    /// # Errors
    /// [`MailError`]
    pub fn new(
        store: Store,
        clock: Arc<dyn Clock>,
        settings: Option<SmtpSettings>,
    ) -> Result<Self, MailError> {
        let server = settings.map(|settings| Server::new(&settings)).transpose()?;
        Ok(Self { store, clock, server })
    }

    /// Works until `stop` turns true.
    pub async fn run(&self, site: watch::Receiver<Arc<Site>>, mut stop: watch::Receiver<bool>) {
        let mut failures: i32 = 0;
        let mut silent_until = self.clock.now();
        loop {
            let now = self.clock.now();
            if now >= silent_until {
                let site = Arc::clone(&site.borrow());
                match self.work(&site).await {
                    Ok(()) => failures = 0,
                    Err(error) => {
                        failures = failures.saturating_add(1);
                        let wait = (BREATH * failures).min(LONGEST_BREATH);
                        silent_until = now + wait;
                        tracing::warn!(%error, again_in_s = wait.num_seconds(), "mails could not be sent");
                    }
                }
            }
            tokio::select! {
                // An error means that nobody can say stop any more, which is as good a reason.
                _ = stop.wait_for(|&stop| stop) => return,
                () = tokio::time::sleep(EVERY) => {}
            }
        }
    }

    /// Sends what waits. A server that is away holds up the rest; an address that it refuses does not.
    ///
    /// A mail is claimed before it is sent, and written down as sent right after the server took it. Who dies before the
    /// server took it leaves it to the next; who dies in the moment between the two makes it come twice, under one
    /// `Message-ID`, for to lose it would be worse.
    async fn work(&self, site: &Site) -> Result<(), Trouble> {
        self.store.tell_decisions(self.clock.now()).await?;
        let Some(server) = &self.server else { return Ok(()) };
        loop {
            let now = self.clock.now();
            let Some(mail) = self.store.claim_mail(now, now + CLAIM).await? else {
                return Ok(());
            };
            match server.send(&mail, site).await {
                Ok(()) => {
                    self.store.mail_sent(&mail, self.clock.now()).await?;
                    tracing::info!(notice = mail.id, kind = ?mail.kind, "a mail was sent");
                }
                Err(Trouble::Refused(why)) => {
                    tracing::warn!(notice = mail.id, kind = ?mail.kind, why, "a mail was refused");
                    let never = self.clock.now() + NEVER;
                    self.store.mail_failed(&mail, never).await?;
                }
                Err(trouble) => {
                    let later = self.clock.now() + BREATH;
                    self.store.mail_failed(&mail, later).await?;
                    return Err(trouble);
                }
            }
        }
    }
}

/// Why nothing was sent. Holds no address.
#[derive(Debug, thiserror::Error)]
enum Trouble {
    #[error("the mail server refuses it for good ({0})")]
    Refused(String),
    #[error("the mail server does not take it now: {0}")]
    Server(String),
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl Server {
    fn new(settings: &SmtpSettings) -> Result<Self, MailError> {
        let url = &settings.server;
        let host = url.host_str().ok_or(MailError::NoHost)?;
        let from = settings
            .from
            .parse()
            .map_err(|_| MailError::From(settings.from.clone()))?;
        let user = percent_decoded(url.username());
        let credentials = match (user, &settings.password) {
            (user, _) if user.is_empty() => None,
            (user, Some(password)) => Some(Credentials::new(user, password.clone())),
            (_, None) => return Err(MailError::NoPassword),
        };
        let parameters = || TlsParameters::new(host.to_owned()).map_err(MailError::Tls);
        let (tls, port) = match (url.scheme(), &credentials) {
            ("smtps", _) => (Tls::Wrapper(parameters()?), 465),
            // A password goes over no open line.
            (_, Some(_)) => (Tls::Required(parameters()?), 587),
            _ => (Tls::Opportunistic(parameters()?), 25),
        };
        let mut transport = AsyncSmtpTransport::<Tokio1Executor>::builder_dangerous(host)
            .port(url.port().unwrap_or(port))
            .tls(tls)
            .timeout(Some(PATIENCE));
        if let Some(credentials) = credentials {
            transport = transport.credentials(credentials);
        }
        Ok(Self {
            transport: transport.build(),
            from,
        })
    }

    async fn send(&self, mail: &Mail, site: &Site) -> Result<(), Trouble> {
        let message = message(mail, &letter(mail, site), &self.from, site)
            .map_err(|error| Trouble::Refused(error.to_string()))?;
        match self.transport.send(message).await {
            Ok(_) => Ok(()),
            // RFC 5321 section 4.2.1: 5yz is for good. What it says may name the address, so the code alone is told.
            Err(error) if error.is_permanent() => Err(Trouble::Refused(
                error
                    .status()
                    .map_or_else(|| "no code".to_owned(), |status| status.to_string()),
            )),
            Err(error) => Err(Trouble::Server(match error.status() {
                Some(status) => format!("it says {status}"),
                None => error.to_string(),
            })),
        }
    }
}

fn percent_decoded(text: &str) -> String {
    let query = format!("x={}", text.replace('+', "%2B"));
    url::form_urlencoded::parse(query.as_bytes())
        .next()
        .map(|(_, value)| value.into_owned())
        .unwrap_or_default()
}

/// The mail as it is sent. Its `Message-ID` is the notice's own, so that one that is sent twice can be known as one.
fn message(
    mail: &Mail,
    letter: &Letter,
    from: &lettre::Address,
    site: &Site,
) -> Result<Message, Box<dyn std::error::Error + Send + Sync>> {
    let mut message = Message::builder()
        .message_id(Some(format!(
            "<notice-{}-{}@{}>",
            mail.id,
            &mail.unsubscribe[..16.min(mail.unsubscribe.len())],
            site.host()
        )))
        .from(lettre::message::Mailbox::new(
            Some(site.title.clone()),
            from.clone(),
        ))
        .to(lettre::message::Mailbox::new(None, mail.address.parse()?))
        .subject(letter.subject.clone())
        .header(AutoSubmitted)
        .header(ContentType::TEXT_PLAIN);
    if let Some(address) = &letter.unsubscribe {
        message = message
            .header(ListUnsubscribe(format!("<{address}>")))
            .header(ListUnsubscribePost);
    }
    Ok(message.body(letter.text.clone())?)
}

/// Answered by no machine (RFC 3834 section 5).
#[derive(Debug, Clone)]
struct AutoSubmitted;

/// Where a POST ends all mail (RFC 2369 section 3.2, RFC 8058).
#[derive(Debug, Clone)]
struct ListUnsubscribe(String);

/// That it takes one POST, and nobody's look at a page (RFC 8058 section 3.1).
#[derive(Debug, Clone)]
struct ListUnsubscribePost;

type Parsed<T> = Result<T, Box<dyn std::error::Error + Send + Sync>>;

impl Header for AutoSubmitted {
    fn name() -> HeaderName {
        HeaderName::new_from_ascii_str("Auto-Submitted")
    }

    fn parse(_: &str) -> Parsed<Self> {
        Ok(Self)
    }

    fn display(&self) -> HeaderValue {
        HeaderValue::new(Self::name(), "auto-generated".to_owned())
    }
}

impl Header for ListUnsubscribe {
    fn name() -> HeaderName {
        HeaderName::new_from_ascii_str("List-Unsubscribe")
    }

    fn parse(text: &str) -> Parsed<Self> {
        Ok(Self(text.to_owned()))
    }

    fn display(&self) -> HeaderValue {
        HeaderValue::new(Self::name(), self.0.clone())
    }
}

impl Header for ListUnsubscribePost {
    fn name() -> HeaderName {
        HeaderName::new_from_ascii_str("List-Unsubscribe-Post")
    }

    fn parse(_: &str) -> Parsed<Self> {
        Ok(Self)
    }

    fn display(&self) -> HeaderValue {
        HeaderValue::new(Self::name(), "List-Unsubscribe=One-Click".to_owned())
    }
}

#[cfg(test)]
#[path = "post_office_tests.rs"]
mod tests;
