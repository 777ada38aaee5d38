//! The page of a topic: what it is, its projects, who writes about it, how it went over time, and its posts.

use askama::Template;
use chrono::{Datelike, NaiveDate};
use model::Topic;
use store::EntryQuery;

use super::page;
use super::river::{Counted, PAGE, River, known_topic};
use super::shell::{Part, Shell};
use super::view::{Named, local_day};
use crate::asked::{Asked, Made};
use crate::failure::Failure;
use crate::links;

/// Members named at once.
const WRITERS: usize = 12;
/// Months that are shown as months; a longer time is shown by years.
const MONTHS: i32 = 36;
/// Bars at least, so that a young topic does not look like a wall.
const LEAST: i32 = 12;
/// Years at most.
const YEARS: i32 = 40;
/// The chart's inner width and height; it is drawn as wide as the page.
const WIDTH: f64 = 600.0;
const HEIGHT: f64 = 100.0;

/// A project within the topic.
struct Project {
    link: Named,
    description: String,
}

/// How many posts there were when.
struct Chart {
    /// `month` or `year`.
    unit: &'static str,
    /// The oldest first.
    bars: Vec<Bar>,
    /// All posts that it counts.
    entries: u32,
    /// The highest bar.
    most: String,
}

/// One month or year.
struct Bar {
    name: String,
    entries: u32,
    x: String,
    y: String,
    width: String,
    height: String,
}

#[derive(Template)]
#[template(path = "topic.html")]
struct TopicPage {
    shell: Shell,
    river: River,
    topic: Topic,
    parent: Option<Named>,
    projects: Vec<Project>,
    writers: Vec<Counted>,
    more_writers: usize,
    chart: Option<Chart>,
    opml: String,
}

/// `/topics/{slug}`
pub(crate) async fn topic(asked: Asked) -> Made {
    let topic = known_topic(&asked.site, &asked.name)?.clone();
    let mut query = EntryQuery::newest(PAGE);
    query.topic = Some(topic.slug.clone());
    let river = River::of(&asked, query).await?;
    let (mut writers, mut more_writers, mut chart) = (Vec::new(), 0, None);
    if river.span.is_none() {
        writers = asked.store().topic_writers(&topic.slug).await?;
        more_writers = writers.len().saturating_sub(WRITERS);
        writers.truncate(WRITERS);
        chart = Chart::of(&asked, &topic.slug).await?;
    }
    let base = links::topic(&topic.slug);
    let mut shell = Shell::new(&asked.site, Part::Topics, Some(topic.name.clone()));
    if !topic.description.is_empty() {
        shell.description.clone_from(&topic.description);
    }
    let shell = river.told_in(shell.with_feeds(&topic.name, &base, ""));
    let named = |topic: &Topic| Named {
        name: topic.name.clone(),
        path: links::topic(&topic.slug),
    };
    let parent = topic.parent.as_deref().and_then(|slug| asked.site.topic(slug));
    let projects = asked
        .site
        .topics
        .iter()
        .filter(|other| other.parent.as_ref() == Some(&topic.slug));
    page(&TopicPage {
        parent: parent.map(named),
        projects: projects
            .map(|project| Project {
                link: named(project),
                description: project.description.clone(),
            })
            .collect(),
        writers: writers
            .into_iter()
            .map(|writer| Counted {
                link: Named {
                    path: links::member(&writer.slug),
                    name: writer.name,
                },
                entries: writer.entries,
                within: false,
            })
            .collect(),
        more_writers,
        chart,
        opml: format!("{base}/opml"),
        shell,
        river,
        topic,
    })
}

impl Chart {
    /// The posts of a topic from the first to the last change of the site; `None` if none has a date.
    async fn of(asked: &Asked, slug: &str) -> Result<Option<Self>, Failure> {
        let months = asked.store().topic_months(slug).await?;
        Ok(months.first().map(|&(first, _)| {
            let periods = Periods::between(first, local_day(asked.changed, &asked.site));
            Self::drawn(&periods, &periods.counted(&months))
        }))
    }

    fn drawn(periods: &Periods, counts: &[u32]) -> Self {
        let highest = counts.iter().copied().max().unwrap_or(0);
        let step = WIDTH / counts.len().max(1) as f64;
        let number = |number: f64| format!("{number:.1}");
        let bars: Vec<Bar> = counts
            .iter()
            .zip(&periods.edges)
            .enumerate()
            .map(|(at, (&entries, &start))| {
                let height = HEIGHT * f64::from(entries) / f64::from(highest.max(1));
                Bar {
                    name: periods.name(start),
                    entries,
                    x: number(at as f64 * step + step * 0.1),
                    y: number(HEIGHT - height),
                    width: number(step * 0.8),
                    height: number(height),
                }
            })
            .collect();
        let most = bars.iter().find(|bar| bar.entries == highest);
        Self {
            unit: if periods.by_month { "month" } else { "year" },
            entries: counts.iter().sum(),
            most: most.map_or_else(String::new, |bar| format!("{} ({})", bar.name, bar.entries)),
            bars,
        }
    }

    fn first(&self) -> &str {
        self.bars.first().map_or("", |bar| &bar.name)
    }

    fn last(&self) -> &str {
        self.bars.last().map_or("", |bar| &bar.name)
    }
}

/// Months or years, one after another.
struct Periods {
    by_month: bool,
    /// The first day of each, and the day after the last.
    edges: Vec<NaiveDate>,
}

impl Periods {
    fn between(first: NaiveDate, last: NaiveDate) -> Self {
        let month = |day: NaiveDate| day.year() * 12 + day.month0() as i32;
        let (start, end) = (month(first.min(last)), month(last));
        let by_month = end - start < MONTHS;
        let (from, until, step) = if by_month {
            (start.min(end + 1 - LEAST), end + 1, 1)
        } else {
            let years = last.year() - first.year() + 1;
            let after = last.year() + 1;
            ((after - years.clamp(1, YEARS)) * 12, after * 12, 12)
        };
        let day =
            |month: i32| NaiveDate::from_ymd_opt(month.div_euclid(12), month.rem_euclid(12) as u32 + 1, 1);
        Self {
            by_month,
            edges: (from..=until).step_by(step).filter_map(day).collect(),
        }
    }

    /// How many posts each has, of these months by their first day.
    fn counted(&self, months: &[(NaiveDate, u32)]) -> Vec<u32> {
        let within = |edges: &[NaiveDate]| {
            let months = months
                .iter()
                .filter(|(month, _)| (edges[0]..edges[1]).contains(month));
            months.map(|(_, entries)| entries).sum()
        };
        self.edges.windows(2).map(within).collect()
    }

    fn name(&self, start: NaiveDate) -> String {
        start
            .format(if self.by_month { "%B %Y" } else { "%Y" })
            .to_string()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn day(text: &str) -> NaiveDate {
        text.parse().unwrap()
    }

    #[test]
    fn a_short_time_is_told_by_months_and_a_long_one_by_years() {
        let names = |first: &str, last: &str| {
            let periods = Periods::between(day(first), day(last));
            let starts = &periods.edges[..periods.edges.len() - 1];
            starts
                .iter()
                .map(|&start| periods.name(start))
                .collect::<Vec<_>>()
        };
        let year = names("2026-11-02", "2026-11-23");
        assert_eq!(
            (year.len(), &*year[0], &*year[11]),
            (12, "December 2025", "November 2026")
        );
        let months = names("2024-12-31", "2026-11-23");
        assert_eq!((months.len(), &*months[0]), (24, "December 2024"));
        let years = names("2019-06-01", "2026-11-23");
        assert_eq!(
            years,
            ["2019", "2020", "2021", "2022", "2023", "2024", "2025", "2026"]
        );
        assert_eq!(names("1905-06-01", "2026-11-23").len(), 40);
        // A date after the last change: a clock that was wrong.
        assert_eq!(names("2027-06-01", "2026-11-23").len(), 12);
    }

    #[test]
    fn months_fall_into_years() {
        let periods = Periods::between(day("2022-03-01"), day("2026-11-23"));
        let months = [
            ("2022-03-01", 1),
            ("2022-12-01", 2),
            ("2023-01-01", 4),
            ("2026-11-01", 8),
        ]
        .map(|(month, entries)| (day(month), entries));
        assert_eq!(periods.counted(&months), [3, 4, 0, 0, 8]);
    }

    #[test]
    fn bars_are_as_high_as_there_are_posts() {
        let periods = Periods::between(day("2023-01-01"), day("2026-11-23"));
        let chart = Chart::drawn(&periods, &[1, 0, 4, 2]);
        let heights: Vec<&str> = chart.bars.iter().map(|bar| bar.height.as_str()).collect();
        assert_eq!(heights, ["25.0", "0.0", "100.0", "50.0"]);
        assert_eq!((chart.entries, chart.most.as_str()), (7, "2025 (4)"));
        assert_eq!(
            (chart.first(), chart.last(), chart.unit),
            ("2023", "2026", "year")
        );
    }
}
