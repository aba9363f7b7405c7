//! One-time passwords and devices.

use super::{ConfigType, ORDINARY, Outcome, Outcomes, attributes, flag, node, number};
use crate::{
    crest::{Error, Object},
    rest::schema::Attribute as A,
};

const DIGESTS: &[&str] = &["HMAC_SHA1", "HMAC_SHA256", "HMAC_SHA512"];

/// A node that hands the password to a mail server: the server first, then what is the node's own.
macro_rules! by_mail {
    ($id:literal, $name:literal, $help:literal, [$($own:expr),+ $(,)?]) => {
        node!(
            $id,
            $name,
            &["mfa"],
            $help,
            Outcomes::One,
            [
                A::text("hostName", "Mail Server Host Name"),
                A::int("hostPort", "Mail Server Host Port", 1, 25),
                A::text("username", "Mail Server Authentication Username"),
                A::secret("password", "Mail Server Authentication Password"),
                A::text("fromEmailAddress", "Email From Address"),
                A::choice("sslOption", "The start TLS method", &["NONE", "SSL", "START_TLS"], "SSL"),
                A::text("smsGatewayImplementationClass", "Gateway Implementation Class"),
                $($own),+
            ],
            open: true
        )
    };
}

/// The types, in the order of the reference.
pub const TYPES: &[ConfigType] = &[
    node!(
        "OneTimePasswordGeneratorNode",
        "HOTP Generator",
        &["mfa"],
        "Makes a one-time password.",
        Outcomes::One,
        [A::int("length", "One Time Password Length", 6, 8)],
        check: length
    ),
    node!(
        "OneTimePasswordCollectorDecisionNode",
        "OTP Collector Decision",
        &["mfa"],
        "Asks for the one-time password and verifies it.",
        Outcomes::TrueFalse,
        [A::int("passwordExpiryTime", "One Time Password Validity Length (minutes)", 1, 5)]
    ),
    by_mail!(
        "OneTimePasswordSmtpSenderNode",
        "OTP Email Sender",
        "Sends the one-time password by mail.",
        [
            A::default_text("emailAttribute", "Email Attribute Name", "mail"),
            A::map("emailSubject", "The subject of the email"),
            A::map("emailContent", "The content of the email"),
        ]
    ),
    by_mail!(
        "OneTimePasswordSmsSenderNode",
        "OTP SMS Sender",
        "Sends the one-time password as a text message.",
        [
            A::default_text("mobilePhoneAttributeName", "Mobile Phone Number Attribute", "telephoneNumber"),
            A::text("mobileCarrierAttributeName", "Mobile Carrier Attribute"),
            A::map("smsSubject", "The subject of the message"),
            A::map("smsContent", "The content of the message"),
        ]
    ),
    node!(
        "OathRegistrationNode",
        "OATH Registration",
        &["mfa"],
        "Registers a device that makes one-time passwords.",
        Outcomes::Fixed(&[("successOutcome", "Success"), ("failureOutcome", "Failure")]),
        [
            A::default_text("issuer", "Issuer", "ForgeRock"),
            A::default_text("accountName", "Account Name", "USERNAME"),
            A::default_text("bgColor", "Background Color", "032b75"),
            A::text("imgUrl", "Logo Image URL"),
            A::flag("generateRecoveryCodes", "Generate Recovery Codes", true),
            A::choice("passwordLength", "One Time Password Length", &["SIX_DIGITS", "EIGHT_DIGITS"], "SIX_DIGITS"),
            A::int("minSharedSecretLength", "Minimum Shared Secret Length", 32, 32),
            A::choice("algorithm", "OATH Algorithm", &["TOTP", "HOTP"], "TOTP"),
            A::int("totpTimeInterval", "TOTP Time Step Interval", 1, 30),
            A::choice("totpHashAlgorithm", "TOTP Hash Algorithm", DIGESTS, "HMAC_SHA1"),
            A::int("truncationOffset", "Truncation Offset", -1, -1),
            A::flag("addChecksum", "Add Checksum Digit", false),
            A::flag("postponeDeviceProfileStorage", "Store device data in shared state", false),
            A::map("scanQRCodeMessage", "QR code message"),
        ]
    ),
    node!(
        "OathTokenVerifierNode",
        "OATH Token Verifier",
        &["mfa"],
        "Verifies the one-time password of a device.",
        Outcomes::Of(verifier),
        [
            A::choice("algorithm", "OATH Algorithm", &["TOTP", "HOTP"], "TOTP"),
            A::int("hotpWindowSize", "HOTP Window Size", 1, 100),
            A::int("totpTimeInterval", "TOTP Time Step Interval", 1, 30),
            A::int("totpTimeSteps", "TOTP Time Steps", 0, 2),
            A::choice("totpHashAlgorithm", "TOTP Hash Algorithm", DIGESTS, "HMAC_SHA1"),
            A::int("maximumAllowedClockDrift", "Maximum Allowed Clock Drift", 0, 5),
            A::flag("isRecoveryCodeAllowed", "Allow recovery codes", false),
        ]
    ),
    node!(
        "RecoveryCodeDisplayNode",
        "Recovery Code Display Node",
        &["mfa"],
        "Shows new recovery codes.",
        Outcomes::One,
        []
    ),
    node!(
        "WebAuthnRegistrationNode",
        "WebAuthn Registration Node",
        &["mfa"],
        "Registers a WebAuthn device.",
        Outcomes::Fixed(&[
            ("unsupported", "Unsupported"),
            ("success", "Success"),
            ("failure", "Failure"),
            ("error", "Client Error"),
        ]),
        [
            A::text("relyingPartyName", "Relying party"),
            A::list("origins", "Origin domains"),
            A::choice(
                "userVerificationRequirement",
                "User verification requirement",
                &["REQUIRED", "PREFERRED", "DISCOURAGED"],
                "PREFERRED"
            ),
            A::int("timeout", "Timeout", 1, 60),
            A::flag("asScript", "Return challenge as JavaScript", true),
        ],
        open: true
    ),
    node!(
        "WebAuthnAuthenticationNode",
        "WebAuthn Authentication Node",
        &["mfa"],
        "Verifies a WebAuthn device.",
        Outcomes::Of(webauthn),
        [
            A::text("relyingPartyName", "Relying party identifier"),
            A::list("origins", "Origin domains"),
            A::choice(
                "userVerificationRequirement",
                "User verification requirement",
                &["REQUIRED", "PREFERRED", "DISCOURAGED"],
                "PREFERRED"
            ),
            A::int("timeout", "Timeout", 1, 60),
            A::flag("asScript", "Return challenge as JavaScript", true),
            A::flag("isRecoveryCodeAllowed", "Allow recovery code", false),
        ],
        open: true
    ),
    node!(
        "PushAuthenticationSenderNode",
        "Push Sender",
        &["mfa"],
        "Sends a push message.",
        Outcomes::Of(push),
        [
            A::int("messageTimeout", "Message Timeout", 1, 120_000),
            A::flag("mandatory", "Remove 'skip' option", false),
            A::choice("pushType", "Push Type", &["DEFAULT", "CHALLENGE", "BIOMETRIC"], "DEFAULT"),
        ],
        open: true
    ),
    node!(
        "PushResultVerifierNode",
        "Push Result Verifier",
        &["mfa"],
        "Verifies the answer to a push message.",
        Outcomes::Fixed(&[("TRUE", "Success"), ("FALSE", "Failure"), ("EXPIRED", "Expired"), ("WAITING", "Waiting")]),
        []
    ),
];

fn length(config: &Object) -> Result<(), Error> {
    let fits = number(config, "length").is_none_or(|length| length <= 8);
    if fits { Ok(()) } else { Err(Error::invalid_value("One Time Password Length")) }
}

fn verifier(config: &Object) -> Vec<Outcome> {
    let fixed = [
        Outcome::new("successOutcome", "Success"),
        Outcome::new("failureOutcome", "Failure"),
        Outcome::new("notRegisteredOutcome", "Not registered"),
    ];
    let recovery = flag(config, "isRecoveryCodeAllowed").then(|| Outcome::new("recoveryCodeOutcome", "Recovery Code"));
    fixed.into_iter().chain(recovery).collect()
}

fn webauthn(config: &Object) -> Vec<Outcome> {
    let fixed = [
        Outcome::new("unsupported", "Unsupported"),
        Outcome::new("noDevice", "No Device Registered"),
        Outcome::new("success", "Success"),
        Outcome::new("failure", "Failure"),
        Outcome::new("error", "Client Error"),
    ];
    let recovery = flag(config, "isRecoveryCodeAllowed").then(|| Outcome::new("recoveryCode", "Recovery Code"));
    fixed.into_iter().chain(recovery).collect()
}

/// Who must not skip is not offered to.
fn push(config: &Object) -> Vec<Outcome> {
    let skipped = (!flag(config, "mandatory")).then(|| Outcome::new("SKIPPED", "Skipped"));
    let fixed = [Outcome::new("SENT", "Sent"), Outcome::new("NOT_REGISTERED", "Not Registered")];
    fixed.into_iter().chain(skipped).collect()
}
