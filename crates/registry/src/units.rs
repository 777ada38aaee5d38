//! Readers of single values: durations, sizes, addresses, schedules. Each takes the text and gives the value or a
//! complaint that says what the text is not and how to write it. None of them knows where the text stands.

use std::str::FromStr;
use std::time::Duration;

use chrono::{DateTime, Utc};
use chrono_tz::{TZ_VARIANTS, Tz};
use cron::Schedule;
use ipnet::IpNet;
use url::Url;

const LONGEST: Duration = Duration::from_hours(24 * 3650);

/// The known word that `word` may have been meant to be.
pub(crate) fn nearest<'a>(word: &str, known: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let word = word.to_lowercase();
    known
        .into_iter()
        .map(|known| (strsim::osa_distance(&word, &known.to_lowercase()), known))
        .min_by_key(|(distance, _)| *distance)
        .filter(|(distance, _)| *distance <= (word.chars().count() / 4).max(1))
        .map(|(_, known)| known)
}

/// Text with something in it.
pub(crate) fn words(text: &str) -> Result<String, String> {
    if text.trim().is_empty() {
        Err("is empty; write something or leave the key out".to_owned())
    } else {
        Ok(text.to_owned())
    }
}

/// Text that may be empty.
#[expect(clippy::unnecessary_wraps, reason = "it stands where the other readers do")]
pub(crate) fn any_text(text: &str) -> Result<String, String> {
    Ok(text.to_owned())
}

/// `30m`: a whole number of seconds, minutes, hours or days.
pub(crate) fn duration(text: &str) -> Result<Duration, String> {
    let complaint =
        || format!("{text:?} is no duration; write a whole number with s, m, h or d, such as \"20s\"");
    let (number, unit) = split_unit(text).ok_or_else(complaint)?;
    let unit = match unit {
        "s" => 1,
        "m" => 60,
        "h" => 3600,
        "d" => 86400,
        _ => return Err(complaint()),
    };
    number
        .checked_mul(unit)
        .map(Duration::from_secs)
        .filter(|duration| *duration <= LONGEST)
        .ok_or_else(|| format!("{text:?} is too long; ten years is the most"))
}

/// A duration longer than nothing.
pub(crate) fn positive_duration(text: &str) -> Result<Duration, String> {
    duration(text).and_then(|duration| {
        if duration.is_zero() {
            Err(format!("{text:?} leaves no time; write more, such as \"20s\""))
        } else {
            Ok(duration)
        }
    })
}

/// A duration as [`duration`] reads it.
pub(crate) fn duration_text(duration: Duration) -> String {
    let seconds = duration.as_secs();
    let (unit, name) = [(86400, "d"), (3600, "h"), (60, "m")]
        .into_iter()
        .find(|(unit, _)| seconds > 0 && seconds.is_multiple_of(*unit))
        .unwrap_or((1, "s"));
    format!("{}{name}", seconds / unit)
}

/// `8MiB`, `500kB` or plain bytes; more than nothing.
pub(crate) fn size_bytes(text: &str) -> Result<u64, String> {
    let complaint =
        || format!("{text:?} is no size; write a whole number with KiB, MiB or GiB, such as \"8MiB\"");
    let (number, unit) = split_unit(text).ok_or_else(complaint)?;
    let unit = match unit.trim_start().to_ascii_lowercase().as_str() {
        "" | "b" => 1,
        "kb" => 1000,
        "mb" => 1_000_000,
        "gb" => 1_000_000_000,
        "kib" => 1 << 10,
        "mib" => 1 << 20,
        "gib" => 1 << 30,
        _ => return Err(complaint()),
    };
    match number.checked_mul(unit) {
        Some(0) => Err(format!(
            "{text:?} leaves room for nothing; write more, such as \"8MiB\""
        )),
        Some(bytes) => Ok(bytes),
        None => Err(complaint()),
    }
}

fn split_unit(text: &str) -> Option<(u64, &str)> {
    let text = text.trim();
    let digits = text.bytes().take_while(u8::is_ascii_digit).count();
    let (number, unit) = text.split_at(digits);
    Some((number.parse().ok()?, unit))
}

/// An http or https address with a host.
pub(crate) fn web_address(text: &str) -> Result<Url, String> {
    Url::parse(text.trim())
        .ok()
        .filter(|url| matches!(url.scheme(), "http" | "https") && url.has_host())
        .ok_or_else(|| format!("{text:?} is no http or https address; write \"https://…\""))
}

/// The public address of the site: an origin, without the slash at its end.
pub(crate) fn origin(text: &str) -> Result<String, String> {
    let url = web_address(text)?;
    let origin = url.origin().ascii_serialization();
    if url.as_str().trim_end_matches('/') == origin {
        Ok(origin)
    } else {
        Err(format!(
            "{text:?} says more than scheme and host, and the Voice stands at the root of its host; \
             write \"{origin}\""
        ))
    }
}

/// A mail server.
pub(crate) fn smtp(text: &str) -> Result<Url, String> {
    let url = Url::parse(text.trim())
        .ok()
        .filter(|url| {
            matches!(url.scheme(), "smtp" | "smtps") && url.host_str().is_some_and(|h| !h.is_empty())
        })
        // The text is not repeated: it may hold a password.
        .ok_or("is no mail server; write \"smtps://user@host:465\"")?;
    if url.password().is_some() {
        return Err("holds a password; take it out and give it in VOICE_SMTP_PASSWORD".to_owned());
    }
    Ok(url)
}

/// A mail address.
pub(crate) fn email(text: &str) -> Result<String, String> {
    let text = text.trim();
    match text.split_once('@') {
        Some((name, host))
            if !name.is_empty()
                && !host.is_empty()
                && !host.contains('@')
                && text
                    .chars()
                    .all(|c| c.is_ascii_graphic() && !"<>()[],;:\"\\".contains(c)) =>
        {
            Ok(text.to_owned())
        }
        _ => Err(format!(
            "{text:?} is no mail address; write \"voice@example.org\""
        )),
    }
}

/// Where publishers reach the operator: a page or a mail address, fit for a header.
pub(crate) fn contact(text: &str) -> Result<String, String> {
    if let Ok(url) = web_address(text) {
        return Ok(url.into());
    }
    email(text.trim().strip_prefix("mailto:").unwrap_or(text))
        .map_err(|_| format!("{text:?} is neither an address nor a mail address; write \"https://…/about\""))
}

/// A network in CIDR notation.
pub(crate) fn network(text: &str) -> Result<IpNet, String> {
    IpNet::from_str(text.trim()).map(|net| net.trunc()).map_err(|_| {
        format!("{text:?} is no CIDR block; write an address and a length, such as \"10.0.0.0/8\"")
    })
}

/// An IANA time zone.
pub(crate) fn timezone(text: &str) -> Result<Tz, String> {
    Tz::from_str(text).map_err(|_| {
        let mend = match nearest(text, TZ_VARIANTS.iter().map(|zone| zone.name())) {
            Some(zone) => format!("did you mean {zone:?}?"),
            None => "write a name of the IANA list, such as \"Europe/London\"".to_owned(),
        };
        format!("{text:?} is no time zone; {mend}")
    })
}

/// A language tag (BCP 47), checked for its shape alone.
pub(crate) fn language(text: &str) -> Result<String, String> {
    let mut parts = text.split('-');
    let primary = parts
        .next()
        .is_some_and(|part| (2..=8).contains(&part.len()) && part.bytes().all(|b| b.is_ascii_alphabetic()));
    if primary
        && parts.all(|part| (1..=8).contains(&part.len()) && part.bytes().all(|b| b.is_ascii_alphanumeric()))
    {
        Ok(text.to_owned())
    } else {
        Err(format!(
            "{text:?} is no language tag; write one such as \"en-GB\""
        ))
    }
}

/// A cron line of six fields, the weekday by name: in this notation 1 is Sunday, which few expect.
pub(crate) fn cron_line(text: &str) -> Result<String, String> {
    let fields: Vec<&str> = text.split_whitespace().collect();
    let [_, _, _, _, _, weekday] = fields[..] else {
        return Err(format!(
            "{text:?} has {} fields; write six: second, minute, hour, day, month, weekday, \
             such as \"0 0 7 * * Mon\"",
            fields.len()
        ));
    };
    if weekday.contains(|c: char| c.is_ascii_digit()) {
        return Err(format!(
            "{text:?} gives the weekday as a number; write names, such as \"Mon\" or \"Mon-Fri\""
        ));
    }
    let line = fields.join(" ");
    let schedule = Schedule::from_str(&line).map_err(|_| {
        format!(
            "{text:?} is no cron line; write second, minute, hour, day, month, weekday, \
             such as \"0 */5 * * * *\""
        )
    })?;
    if schedule.after(&DateTime::<Utc>::UNIX_EPOCH).next().is_none() {
        return Err(format!("{text:?} never comes round; choose a day that exists"));
    }
    Ok(line)
}

/// A slug.
pub(crate) fn slug(text: &str) -> Result<String, String> {
    if (1..=60).contains(&text.len())
        && text
            .bytes()
            .all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-')
    {
        Ok(text.to_owned())
    } else {
        Err(format!(
            "{text:?} is no slug; write 1 to 60 of a-z, 0-9 and hyphen, such as {:?}",
            model::slug_from_name(text)
        ))
    }
}

/// A hashtag, with or without its `#`; gives it in lower case and without.
pub(crate) fn hashtag(text: &str) -> Result<String, String> {
    let tag = text.strip_prefix('#').unwrap_or(text).to_lowercase();
    if !tag.is_empty() && tag.chars().all(|c| c.is_alphanumeric() || c == '_') {
        Ok(tag)
    } else {
        Err(format!(
            "{text:?} is no hashtag; write letters, digits and _ alone, such as \"localgovdigital\""
        ))
    }
}

/// A hashtag, or the beginning of one with `*` for the rest.
pub(crate) fn hashtag_pattern(text: &str) -> Result<String, String> {
    match text.strip_suffix('*') {
        Some(beginning) if !beginning.is_empty() => hashtag(beginning).map(|tag| tag + "*"),
        _ => hashtag(text),
    }
}

/// One of a few words.
pub(crate) fn choice<T: Copy>(words: &[(&str, T)], text: &str) -> Result<T, String> {
    words
        .iter()
        .find(|(word, _)| *word == text)
        .map(|(_, value)| *value)
        .ok_or_else(|| {
            let all: Vec<String> = words.iter().map(|(word, _)| format!("{word:?}")).collect();
            format!("{text:?} is none of its values; write {}", all.join(" or "))
        })
}
