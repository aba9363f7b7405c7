//! Devices that make one-time passwords (RFC 4226, RFC 6238), and recovery codes for when they are lost.
//!
//! | it says                                                            | we do it in            |
//! |--------------------------------------------------------------------|------------------------|
//! | RFC 4226 §5.3 truncation; appendix: checksum, offset of one's own   | `Algorithm::hotp`    |
//! | RFC 6238 §4.2 steps of time; §6 resynchronisation                   | `Device::accept`     |
//! | RFC 6238 §5.2 a password is accepted once                           | `Device::accept`, under the document's revision |
//!
//! A device is part of its user's document: its secret sealed (G5), recovery codes as hashes, and the last password that was
//! accepted. The document's revision decides which of two requests used a password first, on whatever nodes they came.

use super::{Fault, Node, Step, Visit};
use crate::{
    authn::{
        journey::{
            callback::{Callback, Message},
            state::Inputs,
        },
        profile::{Amended, OATH_DEVICES, amend},
    },
    crest::percent,
    desk::Desk,
    host,
    keys::KeyError,
    secrets::{self, equal},
};
use aws_lc_rs::hmac;
use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD as BASE64};
use quorate_raft::DocumentKey;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};
use std::fmt::Write as _;
use zeroize::Zeroizing;

/// A device whose storage is postponed.
const POSTPONED: &str = "oathDeviceProfile";
/// Recovery codes to be shown.
const RECOVERY: &str = "recoveryCodes";
/// How many there are.
const RECOVERY_CODES: usize = 10;
/// Longest secret, bytes.
const MAX_SECRET_BYTES: usize = 64;
/// Widest window that is searched.
const MAX_WINDOW: u64 = 1000;

/// What a password is made of.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "UPPERCASE")]
pub enum Basis {
    /// The time.
    #[default]
    Totp,
    /// A counter.
    Hotp,
}

/// The hash inside.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum Digest {
    /// What most devices have; sound as part of an HMAC.
    #[default]
    #[serde(rename = "HMAC_SHA1")]
    Sha1,
    /// SHA-256.
    #[serde(rename = "HMAC_SHA256")]
    Sha256,
    /// SHA-512.
    #[serde(rename = "HMAC_SHA512")]
    Sha512,
}

/// How many digits a password has.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum Length {
    /// Six.
    #[default]
    #[serde(rename = "SIX_DIGITS")]
    Six,
    /// Eight.
    #[serde(rename = "EIGHT_DIGITS")]
    Eight,
}

/// How a device makes passwords.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Algorithm {
    basis: Basis,
    digest: Digest,
    length: Length,
    /// Seconds of a step of time.
    interval: u64,
    /// Where to truncate; negative for where the hash says.
    offset: i64,
    checksum: bool,
}

impl Digest {
    const fn hmac(self) -> hmac::Algorithm {
        match self {
            Self::Sha1 => hmac::HMAC_SHA1_FOR_LEGACY_USE_ONLY,
            Self::Sha256 => hmac::HMAC_SHA256,
            Self::Sha512 => hmac::HMAC_SHA512,
        }
    }

    const fn name(self) -> &'static str {
        match self {
            Self::Sha1 => "SHA1",
            Self::Sha256 => "SHA256",
            Self::Sha512 => "SHA512",
        }
    }
}

/// The checksum of the credit card algorithm (RFC 4226, appendix C).
fn checksum(number: u32) -> u32 {
    let (mut rest, mut double, mut total) = (number, true, 0);
    while rest > 0 {
        let digit = rest % 10;
        total += if double { digit * 2 % 10 + digit * 2 / 10 } else { digit };
        double = !double;
        rest /= 10;
    }
    (10 - total % 10) % 10
}

impl Algorithm {
    /// The password for `counter`.
    fn hotp(&self, secret: &[u8], counter: u64) -> String {
        let tag = hmac::sign(&hmac::Key::new(self.digest.hmac(), secret), &counter.to_be_bytes());
        let tag = tag.as_ref();
        let last = usize::from(tag.last().copied().unwrap_or_default() & 15);
        let own = usize::try_from(self.offset).ok().filter(|offset| offset + 4 <= tag.len());
        let mut word = [0; 4];
        for (to, from) in word.iter_mut().zip(tag.iter().skip(own.unwrap_or(last))) {
            *to = *from;
        }
        let (digits, modulus) = match self.length {
            Length::Six => (6, 1_000_000),
            Length::Eight => (8, 100_000_000),
        };
        let number = (u32::from_be_bytes(word) & 0x7fff_ffff) % modulus;
        match self.checksum {
            false => format!("{number:0digits$}"),
            true => format!("{number:0digits$}{}", checksum(number)),
        }
    }
}

/// A device, as it is stored.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Device {
    id: String,
    algorithm: Algorithm,
    /// The secret, sealed.
    sealed: String,
    /// The first counter, or step of time, that has not been used up.
    next: u64,
    /// How many steps the device's clock is ahead of ours.
    drift: i64,
    /// Hashes of the recovery codes that are left.
    recovery: Vec<String>,
}

/// How far from what is expected a password may be.
#[derive(Clone, Copy, Debug)]
struct Window {
    /// Counters ahead.
    ahead: u64,
    /// Steps of time to either side.
    steps: u64,
    /// Steps that a device's clock may be off.
    drift: u64,
}

fn label(key: &DocumentKey, device: &str) -> String {
    format!("oath {} {} {device}", key.realm, key.id)
}

impl Device {
    fn secret(&self, desk: &Desk, key: &DocumentKey) -> Result<Zeroizing<Vec<u8>>, KeyError> {
        desk.keys().open(&label(key, &self.id), &self.sealed)
    }

    /// Uses `code` up, at `now` (seconds): whether it is one that the device makes now, and was not used before.
    fn accept(&mut self, secret: &[u8], code: &str, window: Window, now: u64) -> bool {
        let (first, last) = match self.algorithm.basis {
            Basis::Hotp => (self.next, self.next.saturating_add(window.ahead.min(MAX_WINDOW))),
            Basis::Totp => {
                let middle = (now / self.algorithm.interval.max(1)).saturating_add_signed(self.drift);
                let steps = window.steps.min(MAX_WINDOW);
                (middle.saturating_sub(steps).max(self.next), middle.saturating_add(steps))
            }
        };
        let mut found = None;
        for counter in first..=last {
            let fits = equal(self.algorithm.hotp(secret, counter).as_bytes(), code.as_bytes());
            if fits && found.is_none() {
                found = Some(counter);
            }
        }
        let Some(counter) = found else { return false };
        if self.algorithm.basis == Basis::Totp {
            let ours = now / self.algorithm.interval.max(1);
            let drift = i64::try_from(i128::from(counter) - i128::from(ours)).unwrap_or(i64::MAX);
            if drift.unsigned_abs() > window.drift.max(window.steps) {
                return false;
            }
            self.drift = drift;
        }
        self.next = counter.saturating_add(1);
        true
    }

    /// Uses a recovery code up.
    fn recover(&mut self, code: &str) -> bool {
        let hash = recovery_hash(code);
        let before = self.recovery.len();
        self.recovery.retain(|stored| !equal(stored.as_bytes(), hash.as_bytes()));
        self.recovery.len() < before
    }
}

/// Recovery codes have eighty random bits: no slow hash is needed.
fn recovery_hash(code: &str) -> String {
    let normal: String = code.chars().filter(char::is_ascii_alphanumeric).collect();
    BASE64.encode(secrets::sha256(format!("recovery {}", normal.to_ascii_uppercase()).as_bytes()))
}

/// RFC 4648 §6, without padding.
fn base32(bytes: &[u8]) -> String {
    const ALPHABET: &[u8; 32] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZ234567";
    let (mut text, mut bits, mut count) = (String::new(), 0u32, 0);
    for byte in bytes {
        bits = bits << 8 | u32::from(*byte);
        count += 8;
        while count >= 5 {
            count -= 5;
            text.push(char::from(ALPHABET[(bits >> count & 31) as usize]));
        }
    }
    if count > 0 {
        text.push(char::from(ALPHABET[(bits << (5 - count) & 31) as usize]));
    }
    text
}

fn stored(body: &Map<String, Value>) -> Vec<Device> {
    body.get(OATH_DEVICES).and_then(|devices| Vec::deserialize(devices).ok()).unwrap_or_default()
}

/// `OathRegistrationNode`.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub struct OathRegistration {
    issuer: String,
    account_name: String,
    bg_color: String,
    generate_recovery_codes: bool,
    password_length: Length,
    min_shared_secret_length: usize,
    algorithm: Basis,
    totp_time_interval: u64,
    totp_hash_algorithm: Digest,
    truncation_offset: i64,
    add_checksum: bool,
    postpone_device_profile_storage: bool,
    #[serde(rename = "scanQRCodeMessage")]
    scan_qr_code_message: Map<String, Value>,
}

impl Default for OathRegistration {
    fn default() -> Self {
        Self {
            issuer: "ForgeRock".to_owned(),
            account_name: "USERNAME".to_owned(),
            bg_color: "032b75".to_owned(),
            generate_recovery_codes: true,
            password_length: Length::Six,
            min_shared_secret_length: 32,
            algorithm: Basis::Totp,
            totp_time_interval: 30,
            totp_hash_algorithm: Digest::Sha1,
            truncation_offset: -1,
            add_checksum: false,
            postpone_device_profile_storage: false,
            scan_qr_code_message: Map::new(),
        }
    }
}

impl OathRegistration {
    /// A new device, and the URI that a program on it reads.
    fn device(&self, visit: &Visit<'_, '_>, key: &DocumentKey) -> Result<(Device, String), Fault> {
        let algorithm = Algorithm {
            basis: self.algorithm,
            digest: self.totp_hash_algorithm,
            length: self.password_length,
            interval: self.totp_time_interval.max(1),
            offset: self.truncation_offset,
            checksum: self.add_checksum,
        };
        // The length is told in hexadecimal digits; RFC 4226 §4 wants 160 bits.
        let length = self.min_shared_secret_length.div_ceil(2).clamp(20, MAX_SECRET_BYTES);
        let mut secret = Zeroizing::new(vec![0; length]);
        host::fill_random(&mut secret);
        let id = format!("{:032x}", host::random_id());
        let sealed = visit.scene.desk.keys().seal(&label(key, &id), &secret)?;
        let kind = if self.algorithm == Basis::Totp { "totp" } else { "hotp" };
        let account = match self.account_name.as_str() {
            "USERNAME" => visit.username()?,
            attribute => {
                let profile = visit.profile()?;
                let values = profile.as_ref().and_then(|entry| entry.json().get(attribute));
                let value = values.and_then(|values| values.get(0).unwrap_or(values).as_str());
                value.map_or_else(|| visit.username(), |value| Ok(value.to_owned()))?
            }
        };
        let mut uri = format!("otpauth://{kind}/{}:{}", percent::encode(&self.issuer), percent::encode(&account));
        let digits = if self.password_length == Length::Six { 6 } else { 8 };
        let _ = write!(uri, "?secret={}&issuer={}&digits={digits}", base32(&secret), percent::encode(&self.issuer));
        let _ = match self.algorithm {
            Basis::Totp => write!(uri, "&period={}&algorithm={}", algorithm.interval, algorithm.digest.name()),
            Basis::Hotp => write!(uri, "&counter=0&algorithm={}", algorithm.digest.name()),
        };
        let _ = write!(uri, "&b={}", percent::encode(&self.bg_color));
        Ok((Device { id, algorithm, sealed, next: 0, drift: 0, recovery: Vec::new() }, uri))
    }
}

impl Node for OathRegistration {
    async fn visit(&self, visit: &mut Visit<'_, '_>) -> Result<Step, Fault> {
        let key = visit.subject()?;
        let pending = format!("{}.device", visit.id);
        if visit.answers.is_empty() {
            let (device, uri) = self.device(visit, &key)?;
            visit.journey.state.put_shared(&pending, json!(device));
            let message = visit
                .scene
                .request
                .localized(&self.scan_qr_code_message, "Add the account to your authenticator app, then go on");
            return Step::ask(vec![
                Callback::text_output(Message::Information, message),
                Callback::hidden_value("mfaDeviceRegistration", &uri),
                Callback::confirmation("", &["Next".to_owned()], 0),
            ]);
        }
        let device = visit.journey.state.get(&pending).and_then(|device| Device::deserialize(device).ok());
        let mut device = device.ok_or_else(|| Fault::of("no device is waiting to be registered"))?;
        visit.journey.state.remove(&pending);
        if self.generate_recovery_codes {
            let codes: Vec<String> = (0..RECOVERY_CODES).map(|_| base32(&host::random::<10>())).collect();
            device.recovery = codes.iter().map(|code| recovery_hash(code)).collect();
            visit.journey.state.put_transient(RECOVERY, codes);
        }
        if self.postpone_device_profile_storage {
            visit.journey.state.put_shared(POSTPONED, json!(device));
            return Step::to("successOutcome");
        }
        Step::to(if store(visit.scene.desk, &key, &device).await? { "successOutcome" } else { "failureOutcome" })
    }
}

/// Stores a device in place of the ones before it; `false` when nobody is there to have it.
async fn store(desk: &Desk, key: &DocumentKey, device: &Device) -> Result<bool, Fault> {
    let stored = amend(desk, key, |body| {
        body.insert(OATH_DEVICES.into(), json!([device]));
        Amended::Changed { value: (), ends: false }
    });
    Ok(stored.await?.is_some())
}

/// `OathTokenVerifierNode`.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub struct OathTokenVerifier {
    algorithm: Basis,
    hotp_window_size: u64,
    totp_time_steps: u64,
    maximum_allowed_clock_drift: u64,
    is_recovery_code_allowed: bool,
}

impl Default for OathTokenVerifier {
    fn default() -> Self {
        Self {
            algorithm: Basis::Totp,
            hotp_window_size: 100,
            totp_time_steps: 2,
            maximum_allowed_clock_drift: 5,
            is_recovery_code_allowed: false,
        }
    }
}

impl OathTokenVerifier {
    fn window(&self) -> Window {
        let Self { hotp_window_size: ahead, totp_time_steps: steps, maximum_allowed_clock_drift: drift, .. } = *self;
        Window { ahead, steps, drift }
    }

    fn fits(&self, device: &Device) -> bool {
        device.algorithm.basis == self.algorithm
    }

    /// Uses `code` up, if it is one.
    async fn verify(&self, visit: &mut Visit<'_, '_>, key: &DocumentKey, code: &str) -> Result<bool, Fault> {
        let (desk, now) = (visit.scene.desk, visit.scene.now.secs());
        if let Some(mut device) = postponed(visit).filter(|device| self.fits(device)) {
            let secret = device.secret(desk, key)?;
            let accepted = device.accept(&secret, code, self.window(), now);
            let fits = visit.guarded(async { Ok(accepted && store(desk, key, &device).await?) }).await?;
            if fits {
                visit.journey.state.remove(POSTPONED);
                return Ok(true);
            }
            return Ok(false);
        }
        let amended = amend(desk, key, |body| {
            let mut devices = stored(body);
            for device in devices.iter_mut().filter(|device| self.fits(device)) {
                let Ok(secret) = device.secret(desk, key) else { continue };
                if device.accept(&secret, code, self.window(), now) {
                    body.insert(OATH_DEVICES.into(), json!(devices));
                    return Amended::Changed { value: true, ends: false };
                }
            }
            Amended::Kept(false)
        });
        visit.guarded(async { Ok(amended.await?.unwrap_or(false)) }).await
    }
}

fn postponed(visit: &Visit<'_, '_>) -> Option<Device> {
    visit.journey.state.get(POSTPONED).and_then(|device| Device::deserialize(device).ok())
}

impl Node for OathTokenVerifier {
    async fn visit(&self, visit: &mut Visit<'_, '_>) -> Result<Step, Fault> {
        let key = visit.subject()?;
        let profile = visit.profile()?;
        let body = profile.as_ref().and_then(|entry| entry.json().as_object());
        let known = body.is_some_and(|body| stored(body).iter().any(|device| self.fits(device)));
        if !known && !postponed(visit).is_some_and(|device| self.fits(&device)) {
            return Step::to("notRegisteredOutcome");
        }
        let (Some(code), Some(choice)) = (visit.answers.first(), visit.answers.get(1)) else {
            let recovery = self.is_recovery_code_allowed.then(|| "Use Recovery Code".to_owned());
            let options: Vec<String> = std::iter::once("Submit".to_owned()).chain(recovery).collect();
            return Step::ask(vec![
                Callback::name("Enter verification code", ""),
                Callback::confirmation("", &options, 0),
            ]);
        };
        if choice.choice() == 1 {
            return Step::to("recoveryCodeOutcome");
        }
        let code: String = code.text().chars().filter(|c| !c.is_whitespace()).collect();
        Step::to(if self.verify(visit, &key, &code).await? { "successOutcome" } else { "failureOutcome" })
    }
}

/// `RecoveryCodeDisplayNode`.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub struct RecoveryCodeDisplay {}

impl Node for RecoveryCodeDisplay {
    async fn visit(&self, visit: &mut Visit<'_, '_>) -> Result<Step, Fault> {
        let codes = visit.journey.state.get(RECOVERY).and_then(Value::as_array);
        let codes: Vec<&str> = codes.into_iter().flatten().filter_map(Value::as_str).collect();
        if codes.is_empty() {
            return Step::done();
        }
        let text = format!("Keep these codes in a safe place. Each of them works once:\n{}", codes.join("\n"));
        visit.journey.state.remove(RECOVERY);
        Step::ask(vec![Callback::text_output(Message::Information, &text)])
    }

    fn inputs(&self) -> Inputs {
        Inputs::keys([RECOVERY])
    }
}

/// `RecoveryCodeCollectorDecisionNode`.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub struct RecoveryCodeCollector {}

impl Node for RecoveryCodeCollector {
    async fn visit(&self, visit: &mut Visit<'_, '_>) -> Result<Step, Fault> {
        let Some(code) = visit.answers.first().map(|answer| answer.text().to_owned()) else {
            return Step::ask(vec![Callback::name("Enter Recovery Code", "")]);
        };
        let key = visit.subject()?;
        let amended = amend(visit.scene.desk, &key, |body| {
            let mut devices = stored(body);
            if !devices.iter_mut().any(|device| device.recover(&code)) {
                return Amended::Kept(false);
            }
            body.insert(OATH_DEVICES.into(), json!(devices));
            Amended::Changed { value: true, ends: false }
        });
        let recovered = visit.guarded(async { Ok(amended.await?.unwrap_or(false)) }).await?;
        Step::decided(recovered)
    }
}

#[cfg(test)]
mod tests;
