use super::*;

fn algorithm(basis: Basis, digest: Digest, length: Length) -> Algorithm {
    Algorithm { basis, digest, length, interval: 30, offset: -1, checksum: false }
}

/// RFC 4226, appendix D.
#[test]
fn counters_give_the_passwords_of_rfc_4226() {
    let hotp = algorithm(Basis::Hotp, Digest::Sha1, Length::Six);
    let passwords =
        ["755224", "287082", "359152", "969429", "338314", "254676", "287922", "162583", "399871", "520489"];
    for (counter, password) in (0..).zip(passwords) {
        assert_eq!(hotp.hotp(b"12345678901234567890", counter), password);
    }
}

/// RFC 6238, appendix B.
#[test]
fn times_give_the_passwords_of_rfc_6238() {
    let seeds = [
        (Digest::Sha1, "12345678901234567890"),
        (Digest::Sha256, "12345678901234567890123456789012"),
        (Digest::Sha512, "1234567890123456789012345678901234567890123456789012345678901234"),
    ];
    for (time, passwords) in [
        (59, ["94287082", "46119246", "90693936"]),
        (1_111_111_109, ["07081804", "68084774", "25091201"]),
        (1_111_111_111, ["14050471", "67062674", "99943326"]),
        (1_234_567_890, ["89005924", "91819424", "93441116"]),
        (2_000_000_000, ["69279037", "90698825", "38618901"]),
        (20_000_000_000, ["65353130", "77737706", "47863826"]),
    ] {
        for ((digest, seed), password) in seeds.into_iter().zip(passwords) {
            let totp = algorithm(Basis::Totp, digest, Length::Eight);
            assert_eq!(totp.hotp(seed.as_bytes(), time / 30), password, "{time} {digest:?}");
        }
    }
}

#[test]
fn a_checksum_and_an_offset_are_as_in_the_appendix() {
    // The checksum of a number makes the whole valid for the credit card algorithm.
    for number in [0, 7, 755_224, 79_927_398] {
        let mut total = 0;
        for (place, c) in format!("{number}{}", checksum(number)).bytes().rev().enumerate() {
            let value = u32::from(c - b'0') * if place % 2 == 1 { 2 } else { 1 };
            total += value / 10 + value % 10;
        }
        assert_eq!(total % 10, 0, "{number}");
    }
    let fixed = Algorithm { offset: 0, checksum: true, ..algorithm(Basis::Hotp, Digest::Sha1, Length::Six) };
    let password = fixed.hotp(b"12345678901234567890", 0);
    assert_eq!(password.len(), 7);
    // RFC 4226, appendix D: the hash for counter 0 begins with cc93cf18.
    assert_eq!(password[..6], format!("{:06}", 0x4c93_cf18 % 1_000_000)[..]);
    let beyond = Algorithm { offset: 17, ..fixed };
    assert_eq!(beyond.hotp(b"12345678901234567890", 0)[..6], *"755224", "an offset that does not fit is none");
}

fn device(basis: Basis) -> Device {
    let algorithm = algorithm(basis, Digest::Sha1, Length::Six);
    Device { id: "d".into(), algorithm, sealed: String::new(), next: 0, drift: 0, recovery: Vec::new() }
}

const SECRET: &[u8] = b"12345678901234567890";
const WINDOW: Window = Window { ahead: 5, steps: 2, drift: 5 };

/// RFC 6238 §5.2: a password, or one before it, is not accepted again.
#[test]
fn a_password_is_used_once() {
    let mut totp = device(Basis::Totp);
    let now = 3000;
    let code = |step| totp.algorithm.hotp(SECRET, step);
    let (before, current, after) = (code(99), code(100), code(101));
    assert!(totp.accept(SECRET, &current, WINDOW, now));
    assert!(!totp.accept(SECRET, &current, WINDOW, now));
    assert!(!totp.accept(SECRET, &before, WINDOW, now));
    assert!(totp.accept(SECRET, &after, WINDOW, now));
    assert!(!totp.accept(SECRET, "", WINDOW, now));

    let mut hotp = device(Basis::Hotp);
    assert!(hotp.accept(SECRET, "359152", WINDOW, 0), "two ahead");
    assert!(!hotp.accept(SECRET, "359152", WINDOW, 0));
    assert!(!hotp.accept(SECRET, "755224", WINDOW, 0));
    assert_eq!(hotp.next, 3);
    assert!(!hotp.accept(SECRET, "520489", WINDOW, 0), "too far ahead");
}

/// RFC 6238 §6.
#[test]
fn a_clock_may_drift_but_not_for_ever() {
    let mut totp = device(Basis::Totp);
    let code = |step| device(Basis::Totp).algorithm.hotp(SECRET, step);
    assert!(!totp.accept(SECRET, &code(103), WINDOW, 3000), "three steps at once");
    assert!(totp.accept(SECRET, &code(102), WINDOW, 3000));
    assert_eq!(totp.drift, 2);
    assert!(totp.accept(SECRET, &code(204), WINDOW, 6000), "two more");
    assert_eq!(totp.drift, 4);
    assert!(!totp.accept(SECRET, &code(306), WINDOW, 9000), "six are too many");
    assert!(totp.accept(SECRET, &code(305), WINDOW, 9000));
}

#[test]
fn a_recovery_code_is_used_once_in_any_spelling() {
    let mut totp = device(Basis::Totp);
    totp.recovery = vec![recovery_hash("ABCDEFGH23456777"), recovery_hash("OTHER")];
    assert!(!totp.recover("nonsense"));
    assert!(totp.recover("abcd-efgh 2345-6777"));
    assert!(!totp.recover("ABCDEFGH23456777"));
    assert_eq!(totp.recovery.len(), 1);
}

/// RFC 4648 §10, without padding.
#[test]
fn base32_is_that_of_the_rfc() {
    for (plain, text) in [
        ("", ""),
        ("f", "MY"),
        ("fo", "MZXQ"),
        ("foo", "MZXW6"),
        ("foob", "MZXW6YQ"),
        ("fooba", "MZXW6YTB"),
        ("foobar", "MZXW6YTBOI"),
    ] {
        assert_eq!(base32(plain.as_bytes()), text);
    }
}
