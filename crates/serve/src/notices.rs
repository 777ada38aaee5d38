//! What is written down to be mailed when somebody says where.

use crate::asked::Asked;
use crate::failure::Failure;

/// Takes an address to be told at; it is asked to confirm that before anything else is sent there.
pub(crate) async fn confirm(asked: &Asked, member: &str, address: &str) -> Result<(), Failure> {
    let now = asked.state.now();
    asked.store().ask_for_confirmation(member, address, now).await?;
    Ok(())
}
