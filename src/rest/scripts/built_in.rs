//! The scripts that every realm has (scripting.md §21): the reference's ids, our own code. They are part of the program, and a
//! realm has a document of one only after it changed it.

use super::model::{Author, NOBODY, Script};

/// A shipped script.
#[derive(Debug)]
pub struct BuiltIn {
    /// The reference's id.
    pub id: &'static str,
    name: &'static str,
    description: &'static str,
    context: &'static str,
    version: &'static str,
    source: &'static str,
}

macro_rules! script {
    ($id:literal, $name:literal, $description:literal, $context:literal, $version:literal, $file:literal) => {
        BuiltIn {
            id: $id,
            name: $name,
            description: $description,
            context: $context,
            version: $version,
            source: include_str!(concat!("built_in/", $file, ".js")),
        }
    };
}

/// All of them.
pub const SCRIPTS: &[BuiltIn] = &[
    script!(
        "9de3eb62-f131-4fac-a294-7bd170fd4acb",
        "Scripted Policy Condition",
        "Default global script for Scripted Policy Conditions",
        "POLICY_CONDITION",
        "1.0",
        "policy_condition"
    ),
    script!(
        "7e3d7067-d50f-4674-8c76-a3e13a810c33",
        "Scripted Module - Server Side",
        "Default global script for server side Scripted Authentication Module",
        "AUTHENTICATION_SERVER_SIDE",
        "1.0",
        "server_side_module"
    ),
    script!(
        "c827d2b4-3608-4693-868e-bbcf86bd87c7",
        "Scripted Module - Client Side",
        "Default global script for client side Scripted Authentication Module",
        "AUTHENTICATION_CLIENT_SIDE",
        "1.0",
        "client_side_module"
    ),
    script!(
        "01e1a3c0-038b-4c16-956a-6c9d89328cff",
        "Authentication Tree Decision Node Script",
        "Default global script for a scripted decision node",
        "AUTHENTICATION_TREE_DECISION_NODE",
        "1.0",
        "tree_decision"
    ),
    script!(
        "5e854779-6ec1-4c39-aeba-0477e0986646",
        "Config Provider Node Script",
        "Script to provide values for a config provider node",
        "CONFIG_PROVIDER_NODE",
        "1.0",
        "config_provider"
    ),
    script!(
        "36863ffb-40ec-48b9-94b1-9a99f71cc3b5",
        "OIDC Claims Script",
        "Default global script for OIDC claims",
        "OIDC_CLAIMS",
        "1.0",
        "oidc_claims"
    ),
    script!(
        "d22f9a0c-426a-4466-b95e-d0f125b0d5fa",
        "OAuth2 Access Token Modification Script",
        "Default global script for OAuth2 Access Token Modification",
        "OAUTH2_ACCESS_TOKEN_MODIFICATION",
        "1.0",
        "access_token_modification"
    ),
    script!(
        "25e6c06d-cf70-473b-bd28-26931edc476b",
        "OAuth2 Validate Scope Script",
        "Default global script for OAuth2 Scope Validation",
        "OAUTH2_VALIDATE_SCOPE",
        "1.0",
        "validate_scope"
    ),
    script!(
        "da56fe60-8b38-4c46-a405-d6b306d4b336",
        "OAuth2 Evaluate Scope Script",
        "Default global script for OAuth2 Scope Evaluation",
        "OAUTH2_EVALUATE_SCOPE",
        "1.0",
        "evaluate_scope"
    ),
    script!(
        "3f93ef6e-e54a-4393-aba1-f322656db28a",
        "OAuth2 Authorize Endpoint Data Provider Script",
        "Default global script for OAuth2 Authorize Endpoint Data Provider",
        "OAUTH2_AUTHORIZE_ENDPOINT_DATA_PROVIDER",
        "1.0",
        "authorize_data_provider"
    ),
    script!(
        "c735de08-f8f2-4e69-aa4a-2d8d3d438323",
        "OAuth2 May Act Script",
        "Default global script for OAuth2 May Act",
        "OAUTH2_MAY_ACT",
        "1.0",
        "may_act"
    ),
    script!(
        "400e48ba-3f13-4144-ac7b-f824ea8e98c5",
        "OAuth2 JWT Issuer Script",
        "Default global script for OAuth2 scripted JWT issuers",
        "OAUTH2_SCRIPTED_JWT_ISSUER",
        "1.0",
        "jwt_issuer"
    ),
    script!(
        "1d475815-72cb-42eb-aafd-4026989d28a7",
        "Social Identity Provider Profile Transformation Script",
        "Default global script for Social Identity Provider Profile Transformation",
        "SOCIAL_IDP_PROFILE_TRANSFORMATION",
        "1.0",
        "social_profile"
    ),
    script!(
        "248b8a56-df81-4b1b-b4ba-45d994f6504c",
        "SAML2 IDP Adapter Script",
        "Default global script for SAML2 IDP Adapter",
        "SAML2_IDP_ADAPTER",
        "1.0",
        "saml2"
    ),
    script!(
        "c4f22465-2368-4e27-8013-e6399974fd48",
        "SAML2 IDP Attribute Mapper Script",
        "Default global script for SAML2 IDP Attribute Mapper",
        "SAML2_IDP_ATTRIBUTE_MAPPER",
        "1.0",
        "saml2"
    ),
    script!(
        "69f06e63-128c-4e2f-af52-079a8a6f448b",
        "SAML2 SP Adapter Script",
        "Default global script for SAML2 SP Adapter",
        "SAML2_SP_ADAPTER",
        "1.0",
        "saml2"
    ),
    script!(
        "4a171d3a-056b-4ab7-a19f-d7e93ddf7ae5",
        "SAML2 NameID Mapper Script",
        "Default global script for SAML2 NameID Mapper",
        "SAML2_NAMEID_MAPPER",
        "1.0",
        "saml2"
    ),
    script!(
        "6c49bebe-3a62-11ed-a261-0242ac120002",
        "Library Script",
        "Default global library script",
        "LIBRARY",
        "2.0",
        "library"
    ),
];

/// A shipped script by its id.
pub fn find(id: &str) -> Option<&'static BuiltIn> {
    SCRIPTS.iter().find(|script| script.id == id)
}

impl BuiltIn {
    /// As a realm has it that never changed it.
    pub fn script(&self) -> Script {
        let nobody = Author { id: NOBODY.to_owned(), at: 0 };
        Script {
            name: self.name.to_owned(),
            description: Some(self.description.to_owned()),
            source: self.source.to_owned(),
            default: true,
            context: self.context.to_owned(),
            evaluator_version: self.version.to_owned(),
            created: nobody.clone(),
            modified: nobody,
        }
    }
}
