//! Slugs: the part of an address that names a member, a feed or a topic.

use unicode_normalization::{UnicodeNormalization, char::is_combining_mark};

const MAX_LEN: usize = 60;

/// A slug from a name: NFKD, marks dropped, lower case, each run outside `[a-z0-9]` one hyphen, trimmed, at
/// most 60 characters; `blog` if nothing is left. Whether it is taken is for the store to say.
pub fn slug_from_name(name: &str) -> String {
    let mut slug = String::new();
    for c in name
        .nfkd()
        .filter(|&c| !is_combining_mark(c))
        .flat_map(char::to_lowercase)
    {
        if c.is_ascii_lowercase() || c.is_ascii_digit() {
            slug.push(c);
        } else if !slug.is_empty() && !slug.ends_with('-') {
            slug.push('-');
        }
    }
    slug.truncate(MAX_LEN);
    let slug = slug.trim_end_matches('-');
    if slug.is_empty() {
        "blog".to_owned()
    } else {
        slug.to_owned()
    }
}

#[cfg(test)]
mod tests {
    use super::slug_from_name;

    #[test]
    fn follows_the_rule() {
        for (name, slug) in [
            ("Carl Haggerty", "carl-haggerty"),
            ("  Siân & Zoë’s  blog! ", "sian-zoe-s-blog"),
            ("ﬁne №5", "fine-no5"),
            ("İstanbul", "istanbul"),
            ("日本", "blog"),
            ("", "blog"),
        ] {
            assert_eq!(slug_from_name(name), slug, "{name}");
        }
        assert_eq!(slug_from_name(&"ab ".repeat(40)).len(), 59);
    }
}
