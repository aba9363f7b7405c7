//! When the request comes: `SimpleTime` (§4.13).
//!
//! | reference                                     | here                       |
//! |-----------------------------------------------|----------------------------|
//! | §4.13 members and their formats               | [`SimpleTime`], `read_…`   |
//! | §4.13 *now* and the zone                      | `SimpleTime::moment`       |
//! | §4.13 window of times; overnight              | `SimpleTime::times`        |
//! | §4.13 window of days; over the week's end     | `SimpleTime::days`         |
//! | §4.13 window of dates                         | `SimpleTime::dates`        |
//! | §4.13 their intersection, and `ttl`           | `SimpleTime::evaluate`     |
//! | §4.13 time zone ids, `GMT+2:00` among them    | [`zone`]                   |

use jiff::{
    Timestamp, ToSpan, Zoned,
    civil::{Date, DateTime},
    tz::{Offset, TimeZone},
};
use serde_json::{Map, Value, json};

use super::{Outcome, Scene, TTL_MAX};
use crate::policy::{
    Error,
    error::excerpt,
    fault::Fault,
    members::Members,
    trace::{Comparison, Observer},
};

const DAYS: [&str; 7] = ["sun", "mon", "tue", "wed", "thu", "fri", "sat"];
const MINUTES_PER_DAY: i16 = 24 * 60;
/// Longest time zone id that is looked up.
const MAX_ZONE: usize = 64;

/// `SimpleTime`: windows of the day, of the week and of the calendar, all of which are open.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SimpleTime {
    times: Option<Window<i16>>,
    days: Option<Window<i8>>,
    dates: Option<Window<Date>>,
    zone: Option<Zone>,
}

/// Start and end, as read and as sent.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Window<T> {
    start: T,
    end: T,
    sent: [String; 2],
}

/// `enforcementTimeZone`.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Zone {
    id: String,
    /// None if this host does not know it.
    zone: Option<TimeZone>,
}

/// An interval of instants, epoch milliseconds, both ends inclusive.
type Interval = (i64, i64);

impl SimpleTime {
    pub(super) fn parse(members: &Members<'_>) -> Result<Self, Error> {
        const PAIRS: [[&str; 2]; 3] = [["startTime", "endTime"], ["startDay", "endDay"], ["startDate", "endDate"]];
        let [times, days, dates] = PAIRS;
        members.only(&[&["type", "enforcementTimeZone"], &times, &days, &dates])?;
        let (times, days) = (window(members, times, read_time)?, window(members, days, read_day)?);
        let dates = window(members, dates, read_date)?;
        if times.is_none() && days.is_none() && dates.is_none() {
            return Err(Error::TimeMissing);
        }
        if let Some(Window { start, end, sent: [sent_start, sent_end] }) = &dates
            && start > end
        {
            return Err(Error::DatesReversed { start: excerpt(sent_start), end: excerpt(sent_end) });
        }
        let id = members.text("enforcementTimeZone")?.filter(|id| !id.is_empty());
        let zone = id.map(|id| Zone { id: id.to_owned(), zone: zone(id) });
        Ok(Self { times, days, dates, zone })
    }

    /// Refuses a time zone that this host does not know. Apart from [`SimpleTime::parse`], which also reads what
    /// another host has written.
    pub(super) fn check(&self) -> Result<(), Error> {
        match &self.zone {
            Some(Zone { id, zone: None }) => Err(Error::invalid_property(id, "enforcementTimeZone")),
            _ => Ok(()),
        }
    }

    pub(super) fn kind(&self) -> &'static str {
        "SimpleTime"
    }

    pub(super) fn members(&self) -> Value {
        let mut members = Map::new();
        let sent = [
            (["startTime", "endTime"], self.times.as_ref().map(|window| &window.sent)),
            (["startDay", "endDay"], self.days.as_ref().map(|window| &window.sent)),
            (["startDate", "endDate"], self.dates.as_ref().map(|window| &window.sent)),
        ];
        for (names, values) in sent {
            for (name, value) in names.iter().zip(values.into_iter().flatten()) {
                members.insert((*name).to_owned(), json!(value));
            }
        }
        members.extend(self.zone.as_ref().map(|zone| ("enforcementTimeZone".to_owned(), json!(zone.id))));
        Value::Object(members)
    }

    pub(super) fn evaluate(&self, scene: &Scene<'_>, observer: &mut impl Observer) -> Result<Outcome, Fault> {
        let (now, at) = self.moment(scene)?;
        let windows = [
            self.times.as_ref().map(|window| times(window, &at, now)),
            self.days.as_ref().map(|window| days(window, &at, now)),
            self.dates.as_ref().map(|window| dates(window, &at)),
        ];
        let (mut start, mut end) = (i64::MIN, i64::MAX);
        for window in windows.into_iter().flatten() {
            let (opens, closes) = window.ok_or(Fault::Time)?;
            (start, end) = (start.max(opens), end.min(closes));
        }
        observer.compared(|| Comparison::new("now", json!({"from": start, "to": end}), now));
        let (satisfied, ttl) = match now {
            _ if now < start => (false, start),
            _ if now > end => (false, TTL_MAX),
            _ => (true, end),
        };
        Ok(Outcome { ttl, ..Outcome::plain(satisfied) })
    }

    /// *Now*, and what the clocks and calendars of the zone show then.
    fn moment(&self, scene: &Scene<'_>) -> Result<(i64, Zoned), Fault> {
        let key = "requestTime";
        let now = match scene.circumstances.first(key) {
            None => scene.circumstances.now,
            Some(text) => text.trim().parse().map_err(|_| Fault::Environment { key, value: excerpt(text) })?,
        };
        let zone = match (&self.zone, scene.circumstances.first("requestTimeZone").filter(|id| !id.is_empty())) {
            (Some(Zone { id, zone }), _) => zone.clone().ok_or_else(|| Fault::TimeZone(excerpt(id)))?,
            (None, Some(id)) => zone(id).ok_or_else(|| Fault::TimeZone(excerpt(id)))?,
            (None, None) => scene.circumstances.zone.clone(),
        };
        let at = Timestamp::from_millisecond(now).map_err(|_| Fault::Time)?;
        Ok((now, at.to_zoned(zone)))
    }
}

/// Today's window. One that ends before it starts began yesterday or ends tomorrow.
fn times(window: &Window<i16>, at: &Zoned, now: i64) -> Option<Interval> {
    let today = at.date();
    let on = |day: Date, minutes: i16| {
        let day = day.checked_add(i32::from(minutes / MINUTES_PER_DAY).days()).ok()?;
        let minutes = minutes % MINUTES_PER_DAY;
        let clock = day.at(i8::try_from(minutes / 60).ok()?, i8::try_from(minutes % 60).ok()?, 0, 0);
        instant(at, clock)
    };
    let (start, end) = (on(today, window.start)?, on(today, window.end)?);
    if window.start <= window.end {
        return Some((start, end));
    }
    if now < start {
        Some((on(today.yesterday().ok()?, window.start)?, end))
    } else {
        Some((start, on(today.tomorrow().ok()?, window.end)?))
    }
}

/// This week's window, whose last day counts in full; weeks start on Sunday.
fn days(window: &Window<i8>, at: &Zoned, now: i64) -> Option<Interval> {
    let today = at.date();
    let sunday = today.checked_sub(i32::from(today.weekday().to_sunday_zero_offset()).days()).ok()?;
    let on = |days: i8| instant(at, sunday.checked_add(i32::from(days).days()).ok()?.at(0, 0, 0, 0));
    let end_day = window.end.checked_add(1)?;
    let (start, end) = (on(window.start)?, on(end_day)?);
    if end_day > window.start {
        return Some((start, end));
    }
    if now < start {
        Some((on(window.start.checked_sub(7)?)?, end))
    } else {
        Some((start, on(end_day.checked_add(7)?)?))
    }
}

/// The window of the calendar, whose last day counts in full.
fn dates(window: &Window<Date>, at: &Zoned) -> Option<Interval> {
    let start = instant(at, window.start.at(0, 0, 0, 0))?;
    Some((start, instant(at, window.end.tomorrow().ok()?.at(0, 0, 0, 0))?))
}

/// When the clocks of `at`'s zone show `clock`: a time that is skipped is the one after, of a time that comes
/// twice it is the first.
fn instant(at: &Zoned, clock: DateTime) -> Option<i64> {
    let zoned = at.time_zone().to_ambiguous_zoned(clock).compatible().ok()?;
    Some(zoned.timestamp().as_millisecond())
}

fn window<T>(
    members: &Members<'_>,
    [start, end]: [&'static str; 2],
    read: impl Fn(&str) -> Option<T>,
) -> Result<Option<Window<T>>, Error> {
    let text = |member| Ok::<_, Error>(members.text(member)?.filter(|text| !text.is_empty()));
    let parsed = |text: &str, member| read(text).ok_or_else(|| Error::invalid_property(text, member));
    match (text(start)?, text(end)?) {
        (None, None) => Ok(None),
        (Some(_), None) => Err(Error::PropertyUnpaired { missing: end, present: start }),
        (None, Some(_)) => Err(Error::PropertyUnpaired { missing: start, present: end }),
        (Some(s), Some(e)) => {
            let sent = [s.to_owned(), e.to_owned()];
            Ok(Some(Window { start: parsed(s, start)?, end: parsed(e, end)?, sent }))
        }
    }
}

/// `HH:mm` as minutes since midnight.
fn read_time(text: &str) -> Option<i16> {
    let (hour, minute) = text.split_once(':')?;
    let (hour, minute) = (number(hour, 2)?, number(minute, 2)?);
    (hour <= 24 && minute < 60).then_some(hour * 60 + minute)
}

/// Days since Sunday.
fn read_day(text: &str) -> Option<i8> {
    let at = DAYS.iter().position(|day| day.eq_ignore_ascii_case(text))?;
    i8::try_from(at).ok()
}

/// `yyyy:MM:dd`.
fn read_date(text: &str) -> Option<Date> {
    let mut parts = text.split(':');
    let (year, month, day) = (parts.next()?, parts.next()?, parts.next()?);
    let part = |text: &str| i8::try_from(number(text, 2)?).ok();
    Date::new(number(year, 4)?, part(month)?, part(day)?).ok().filter(|_| parts.next().is_none())
}

/// A number of at most that many digits.
fn number(text: &str, digits: usize) -> Option<i16> {
    let plain = (1..=digits).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_digit());
    plain.then(|| text.parse().ok()).flatten()
}

/// The time zone with this id: of the database, or a distance from Greenwich (`GMT+2:00`, `GMT-0330`).
pub fn zone(id: &str) -> Option<TimeZone> {
    if id.len() > MAX_ZONE {
        return None;
    }
    let Some(distance) = id.strip_prefix("GMT").filter(|distance| distance.starts_with(['+', '-'])) else {
        return TimeZone::get(id).ok();
    };
    let (sign, digits) = distance.split_at_checked(1)?;
    let (hours, minutes) = match digits.split_once(':') {
        Some((hours, minutes)) if minutes.len() == 2 => (hours, minutes),
        Some(_) => return None,
        None if digits.len() > 2 => digits.split_at_checked(digits.len() - 2)?,
        None => (digits, "0"),
    };
    let (hours, minutes) = (number(hours, 2)?, number(minutes, 2)?);
    let seconds = (i32::from(hours) * 60 + i32::from(minutes)) * 60;
    let within = hours < 24 && minutes < 60;
    let offset = Offset::from_seconds(if sign == "-" { -seconds } else { seconds }).ok().filter(|_| within)?;
    Some(TimeZone::fixed(offset))
}
