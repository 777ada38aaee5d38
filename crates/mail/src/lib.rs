//! Mail to members: what the store has noticed for them, in plain words, to addresses that they confirmed.
//!
//! The only crate that knows lettre. It decides nothing: which notices there are, to whom they may go and who sends them is
//! the store's. It logs no address and no words of a mail.

mod letter;
mod post_office;

pub use post_office::{MailError, PostOffice, SmtpSettings};
