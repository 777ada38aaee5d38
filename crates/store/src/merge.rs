//! The merge itself: what is registered once the specs of a registry are brought in. Pure.
//!
//! A key that a spec states wins; what it leaves out stays as it is. Slugs are given at first sight and kept.

use std::collections::{HashMap, HashSet};

use chrono::NaiveDate;
use model::{
    ContentChoice, FeedSpec, FeedStatus, IncludeChoice, MemberKind, normal_feed_address, slug_from_name,
};

use crate::StoreError;
use crate::record::MergeReport;

/// The longest slug.
const SLUG_LEN: usize = 60;

/// Where the specs come from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Origin {
    File,
    Import,
    /// Somebody asks to join.
    Registration,
}

/// A member as far as a registry states one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct StoredMember {
    /// `None` until it is stored.
    pub(crate) id: Option<i64>,
    pub(crate) slug: String,
    pub(crate) name: String,
    pub(crate) organisation: Option<String>,
    pub(crate) url: Option<String>,
    pub(crate) kind: MemberKind,
}

/// A feed as far as a registry states one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct StoredFeed {
    /// `None` until it is stored.
    pub(crate) id: Option<i64>,
    /// Index into [`Registered::members`].
    pub(crate) member: usize,
    pub(crate) slug: String,
    pub(crate) url: String,
    pub(crate) address: String,
    pub(crate) site: Option<String>,
    pub(crate) content: ContentChoice,
    pub(crate) include: IncludeChoice,
    pub(crate) licence: Option<String>,
    pub(crate) joined: NaiveDate,
    pub(crate) status: FeedStatus,
    pub(crate) in_file: bool,
    /// Whether it stands as it does because somebody decided so here.
    pub(crate) decided: bool,
    /// Whether a moderator said whose it is.
    pub(crate) owner_by_hand: bool,
}

/// All members and feeds. Nothing is ever taken out, so an index names the same one before and after a merge.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(crate) struct Registered {
    pub(crate) members: Vec<StoredMember>,
    pub(crate) feeds: Vec<StoredFeed>,
    /// Addresses that feeds had before they moved, with indices into `feeds`.
    pub(crate) aliases: Vec<(String, usize)>,
    /// Slugs that members had before they were merged into others, with indices into `members`.
    pub(crate) former_slugs: Vec<(String, usize)>,
}

impl Registered {
    /// Whether the feed is the one by which its member came.
    fn is_first_feed(&self, feed: &StoredFeed) -> bool {
        self.members[feed.member].slug == feed.slug
    }
}

/// What is registered once `specs` are merged into what is `stored`.
pub(crate) fn merged(
    stored: &Registered,
    specs: &[FeedSpec],
    origin: Origin,
    today: NaiveDate,
) -> Result<(Registered, MergeReport), StoreError> {
    let mut merge = Merge::new(stored, specs, origin, today);
    // Members come before their further feeds, whatever the order of the file.
    let (own, further): (Vec<&FeedSpec>, Vec<&FeedSpec>) =
        specs.iter().partition(|spec| spec.member.is_none());
    for spec in own.into_iter().chain(further) {
        merge.spec(spec)?;
    }
    if origin == Origin::File {
        merge.retire_the_rest();
    }
    Ok((merge.registered, merge.report))
}

struct Merge<'a> {
    registered: Registered,
    report: MergeReport,
    origin: Origin,
    today: NaiveDate,
    /// Addresses of all feeds: as registered, as polled since a lasting redirect, and as polled before that.
    by_address: HashMap<String, usize>,
    feeds_by_slug: HashMap<String, usize>,
    members_by_slug: HashMap<String, usize>,
    /// The addresses that the specs state.
    stated: HashSet<String>,
    /// Slugs that the specs state: not for names to take.
    reserved: HashSet<&'a str>,
    seen: HashSet<usize>,
}

impl<'a> Merge<'a> {
    fn new(stored: &Registered, specs: &'a [FeedSpec], origin: Origin, today: NaiveDate) -> Self {
        let feeds = || stored.feeds.iter().enumerate();
        let mut by_address: HashMap<String, usize> = stored.aliases.iter().cloned().collect();
        // Most feeds are polled where they are registered.
        let elsewhere = feeds().filter(|(_, feed)| feed.url != feed.address);
        by_address.extend(
            elsewhere.filter_map(|(index, feed)| Some((normal_feed_address(&feed.url.parse().ok()?), index))),
        );
        by_address.extend(feeds().map(|(index, feed)| (feed.address.clone(), index)));
        Self {
            registered: stored.clone(),
            report: MergeReport::default(),
            origin,
            today,
            by_address,
            feeds_by_slug: feeds().map(|(index, feed)| (feed.slug.clone(), index)).collect(),
            members_by_slug: (stored.former_slugs.iter().cloned())
                .chain(
                    (stored.members.iter().enumerate()).map(|(index, member)| (member.slug.clone(), index)),
                )
                .collect(),
            stated: specs.iter().map(|spec| normal_feed_address(&spec.url)).collect(),
            reserved: specs.iter().filter_map(|spec| spec.slug.as_deref()).collect(),
            seen: HashSet::new(),
        }
    }

    fn spec(&mut self, spec: &FeedSpec) -> Result<(), StoreError> {
        let address = normal_feed_address(&spec.url);
        let known = self
            .by_address
            .get(&address)
            .copied()
            .or_else(|| self.moved(spec));
        match (known, self.origin) {
            (None, _) => self.add(spec, address),
            (Some(index), Origin::File) => self.state(index, spec, address),
            (Some(index), Origin::Import) => {
                self.take_up(index);
                Ok(())
            }
            (Some(_), Origin::Registration) => Ok(()),
        }
    }

    /// The feed that the spec names by its slug, if the address that the file stated for it has left the file: the
    /// blog moved.
    fn moved(&self, spec: &FeedSpec) -> Option<usize> {
        let index = *self.feeds_by_slug.get(spec.slug.as_deref()?)?;
        let feed = &self.registered.feeds[index];
        (self.origin == Origin::File && feed.in_file && !self.stated.contains(&feed.address)).then_some(index)
    }

    fn add(&mut self, spec: &FeedSpec, address: String) -> Result<(), StoreError> {
        let (member, slug) = if let Some(named) = &spec.member {
            let member = self.member_named(named, spec)?;
            let slug = match &spec.slug {
                Some(slug) => self.free_slug(slug, true),
                None => self.free_slug(&self.registered.members[member].slug, false),
            };
            (member, slug)
        } else {
            let member = self.add_member(spec);
            (member, self.registered.members[member].slug.clone())
        };
        self.report.added.push(slug.clone());
        let index = self.registered.feeds.len();
        self.by_address.insert(address.clone(), index);
        self.feeds_by_slug.insert(slug.clone(), index);
        self.seen.insert(index);
        self.registered.feeds.push(StoredFeed {
            id: None,
            member,
            slug,
            url: spec.url.to_string(),
            address,
            site: spec.site.as_ref().map(ToString::to_string),
            content: spec.content.unwrap_or(ContentChoice::Excerpt),
            include: spec.include.unwrap_or(IncludeChoice::All),
            licence: spec.licence.clone(),
            joined: spec.joined.unwrap_or(self.today),
            status: match self.origin {
                Origin::File | Origin::Import => FeedStatus::Active,
                Origin::Registration => FeedStatus::Pending,
            },
            in_file: self.origin == Origin::File,
            decided: false,
            owner_by_hand: false,
        });
        Ok(())
    }

    /// A new member, as the spec of their first feed states them.
    fn add_member(&mut self, spec: &FeedSpec) -> usize {
        let name = spec
            .name
            .clone()
            .or_else(|| spec.url.host_str().map(str::to_owned))
            .unwrap_or_default();
        let slug = match &spec.slug {
            Some(slug) => self.free_slug(slug, true),
            None => self.free_slug(&slug_from_name(&name), false),
        };
        let index = self.registered.members.len();
        self.members_by_slug.insert(slug.clone(), index);
        self.registered.members.push(StoredMember {
            id: None,
            slug,
            name,
            organisation: spec.organisation.clone(),
            url: spec.site.as_ref().map(ToString::to_string),
            kind: spec.kind.unwrap_or(MemberKind::Person),
        });
        index
    }

    fn member_named(&self, slug: &str, spec: &FeedSpec) -> Result<usize, StoreError> {
        self.members_by_slug
            .get(slug)
            .copied()
            .ok_or_else(|| StoreError::UnknownMember {
                feed: spec.url.to_string(),
                member: slug.to_owned(),
            })
    }

    /// The slug itself, or with the first number from 2 that makes it free. What a spec states for itself is not
    /// `stated` for others.
    fn free_slug(&self, slug: &str, stated: bool) -> String {
        let is_free = |slug: &str| {
            !self.feeds_by_slug.contains_key(slug)
                && !self.members_by_slug.contains_key(slug)
                && (stated || !self.reserved.contains(slug))
        };
        if is_free(slug) {
            return slug.to_owned();
        }
        let mut number = 2_u32;
        loop {
            let suffix = format!("-{number}");
            let stem = slug
                .get(..SLUG_LEN - suffix.len())
                .unwrap_or(slug)
                .trim_end_matches('-');
            let numbered = stem.to_owned() + &suffix;
            if is_free(&numbered) {
                return numbered;
            }
            number += 1;
        }
    }

    /// Takes up a feed that had left the file, or waits for approval, unless a decision made here keeps it where it is.
    fn take_up(&mut self, index: usize) {
        let feed = &mut self.registered.feeds[index];
        match feed.status {
            FeedStatus::Active => {}
            FeedStatus::Retired if feed.in_file || feed.decided => {
                self.report.kept.push(feed.slug.clone());
            }
            FeedStatus::Retired | FeedStatus::Pending => {
                feed.status = FeedStatus::Active;
                self.report.resumed.push(feed.slug.clone());
            }
            FeedStatus::Paused | FeedStatus::Gone | FeedStatus::Rejected => {
                self.report.kept.push(feed.slug.clone());
            }
        }
    }

    /// What the file says of a feed that is stored.
    fn state(&mut self, index: usize, spec: &FeedSpec, address: String) -> Result<(), StoreError> {
        self.seen.insert(index);
        // At another address it is not the feed that was gone.
        let is_moved = self.registered.feeds[index].address != address;
        if is_moved && self.registered.feeds[index].status == FeedStatus::Gone {
            self.registered.feeds[index].status = FeedStatus::Active;
        }
        self.take_up(index);
        let before = self.registered.feeds[index].clone();
        let member = self.member_of(&before, spec)?;
        let member_before = self.registered.members[member].clone();

        let feed = &mut self.registered.feeds[index];
        feed.in_file = true;
        feed.member = member;
        if is_moved {
            feed.url = spec.url.to_string();
            feed.address.clone_from(&address);
            self.by_address.insert(address, index);
        }
        if let Some(site) = &spec.site {
            feed.site = Some(site.to_string());
        }
        feed.content = spec.content.unwrap_or(feed.content);
        feed.include = spec.include.unwrap_or(feed.include);
        feed.licence = spec.licence.clone().or(feed.licence.take());
        feed.joined = spec.joined.unwrap_or(feed.joined);

        let is_first = self.registered.is_first_feed(&before);
        if let Some(slug) = spec.slug.as_ref().filter(|slug| **slug != before.slug) {
            self.rename(index, is_first.then_some(member), slug);
        }
        let stated = &mut self.registered.members[member];
        if spec.member.is_none() && !before.owner_by_hand {
            stated.name = spec.name.clone().unwrap_or_else(|| stated.name.clone());
            stated.organisation = spec.organisation.clone().or(stated.organisation.take());
            stated.kind = spec.kind.unwrap_or(stated.kind);
        }
        if is_first {
            stated.url = spec.site.as_ref().map(ToString::to_string).or(stated.url.take());
        }

        let feed = &self.registered.feeds[index];
        let is_changed = StoredFeed {
            in_file: before.in_file,
            ..feed.clone()
        } != before
            || self.registered.members[member] != member_before;
        if is_changed {
            self.report.changed.push(feed.slug.clone());
        }
        Ok(())
    }

    /// Whose the file says a stored feed is: of the member it names, else of the member who came by it. A further
    /// feed that now has a name of its own gets a member of its own.
    fn member_of(&mut self, feed: &StoredFeed, spec: &FeedSpec) -> Result<usize, StoreError> {
        if feed.owner_by_hand {
            return Ok(feed.member);
        }
        let present = &self.registered.members[feed.member];
        let has_own_name = spec.name.as_ref().is_some_and(|name| *name != present.name);
        match &spec.member {
            Some(slug) => self.member_named(slug, spec),
            None if has_own_name && !self.registered.is_first_feed(feed) => {
                // The slug that the spec states is the feed's own already; the member's is made from the name.
                Ok(self.add_member(&FeedSpec {
                    slug: None,
                    ..spec.clone()
                }))
            }
            None => Ok(feed.member),
        }
    }

    /// Gives a feed, and the member who came by it, the slug that the file states, unless somebody has it.
    fn rename(&mut self, index: usize, member: Option<usize>, slug: &str) {
        if self.feeds_by_slug.contains_key(slug) || self.members_by_slug.contains_key(slug) {
            self.report.kept.push(self.registered.feeds[index].slug.clone());
            return;
        }
        let before = std::mem::replace(&mut self.registered.feeds[index].slug, slug.to_owned());
        self.feeds_by_slug.remove(&before);
        self.feeds_by_slug.insert(slug.to_owned(), index);
        if let Some(member) = member {
            slug.clone_into(&mut self.registered.members[member].slug);
            self.members_by_slug.remove(&before);
            self.members_by_slug.insert(slug.to_owned(), member);
        }
    }

    /// Feeds that came from the file and are in it no more are polled no more. A pause and a 410 stay what they
    /// are, so that they still hold when the feed comes back.
    fn retire_the_rest(&mut self) {
        for (index, feed) in self.registered.feeds.iter_mut().enumerate() {
            if feed.in_file && !self.seen.contains(&index) {
                feed.in_file = false;
                if feed.status == FeedStatus::Active {
                    feed.status = FeedStatus::Retired;
                    self.report.retired.push(feed.slug.clone());
                }
            }
        }
    }
}
