//! Who asks: a service principal, an identity that the Terraform provider finds by itself, or the login of `az`.

use serde::Deserialize;
use serde_json::Value;

use super::SUBSCRIPTION;
use crate::error::Result;
use crate::model::{Body, Check, HttpCall};
use crate::providers::cloud::{Authorization, CredentialInput, Credentials, malformed, missing};

/// Where the Bash deployer told people to keep a service principal.
const CREDENTIALS_FILE: &str = "~/.azure_credentials";
/// The variable that names where identities are checked, and the usual place.
const AUTHORITY: (&str, &str) = ("AZURE_AUTHORITY_HOST", "https://login.microsoftonline.com");

/// Who asks, and the subscription that this names, with its source.
struct Identity {
    credentials: Credentials,
    subscription: Option<(String, String)>,
}

/// Everything that would make the Terraform provider somebody else than the one who was found.
const OTHER_IDENTITIES: &[&str] = &[
    "ARM_CLIENT_CERTIFICATE",
    "ARM_CLIENT_CERTIFICATE_PATH",
    "ARM_CLIENT_ID_FILE_PATH",
    "ARM_CLIENT_SECRET_FILE_PATH",
    "ARM_OIDC_TOKEN",
    "ARM_OIDC_TOKEN_FILE_PATH",
    "ARM_USE_AKS_WORKLOAD_IDENTITY",
    "ARM_USE_MSI",
    "ARM_USE_OIDC",
];

pub(super) fn credentials(input: &CredentialInput) -> Result<Credentials, Check> {
    let Identity { credentials, subscription } = identity(input)?;
    let asked = input.option("subscription").map(|id| (id.to_owned(), SUBSCRIPTION.to_owned()));
    let (subscription, source) = asked.or(subscription).ok_or_else(|| {
        missing(
            "the subscription",
            &["export ARM_SUBSCRIPTION_ID=…  # az account list --output table", "or --azure-subscription UUID"],
        )
    })?;
    if !is_uuid(&subscription) {
        return Err(malformed(&source, "a subscription's id is a UUID"));
    }
    let authority = input.env_of(&[AUTHORITY.0]).map_or(AUTHORITY.1.to_owned(), |found| found.value);
    Ok(credentials
        .set("ARM_SUBSCRIPTION_ID", &subscription)
        .set(AUTHORITY.0, authority)
        .fact("subscription", subscription))
}

/// The named file, then the environment, then the file in its usual place, then the login of `az`.
fn identity(input: &CredentialInput) -> Result<Identity, Check> {
    if let Some(path) = input.option("credentials_file") {
        return principal_file(input, path)?.ok_or_else(|| malformed(path, "there is no such file"));
    }
    if let Some(identity) = environment(input)? {
        return Ok(identity);
    }
    if let Some(identity) = principal_file(input, CREDENTIALS_FILE)? {
        return Ok(identity);
    }
    login(input)?.ok_or_else(|| {
        missing(
            "a service principal, or a login",
            &[
                "az login",
                "or export ARM_CLIENT_ID=… ARM_CLIENT_SECRET=… ARM_TENANT_ID=… ARM_SUBSCRIPTION_ID=…",
                "or (umask 077; az ad sp create-for-rbac --role Contributor --scopes /subscriptions/UUID >~/.azure_credentials)",
                "or --azure-credentials-file FILE",
            ],
        )
    })
}

fn environment(input: &CredentialInput) -> Result<Option<Identity>, Check> {
    let on = |name: &&'static str| input.env_of(&[*name]).is_some_and(|v| ["true", "1"].contains(&v.value.as_str()));
    // The Terraform provider reads what belongs to them by itself.
    if let Some(way) = ["ARM_USE_MSI", "ARM_USE_OIDC", "ARM_USE_AKS_WORKLOAD_IDENTITY"].iter().find(|name| on(name)) {
        return Ok(Some(Identity { credentials: Credentials::from(*way), subscription: None }));
    }
    let certificate = ["ARM_CLIENT_CERTIFICATE_PATH", "ARM_CLIENT_CERTIFICATE"];
    let [client, secret, tenant] = ["ARM_CLIENT_ID", "ARM_CLIENT_SECRET", "ARM_TENANT_ID"]
        .map(|name| input.env_of(&[name]).map(|found| found.value));
    if let (Some(_), None, Some(_), Some(found)) = (&client, &secret, &tenant, input.env_of(&certificate)) {
        return Ok(Some(Identity { credentials: Credentials::from(found.source), subscription: None }));
    }
    match (client, secret, tenant) {
        // A tenant alone belongs to the login of `az`.
        (None, None, _) => Ok(None),
        (Some(client), Some(secret), Some(tenant)) => {
            let credentials = principal("ARM_CLIENT_ID, ARM_CLIENT_SECRET, ARM_TENANT_ID", client, secret, tenant)?;
            Ok(Some(Identity { credentials, subscription: None }))
        }
        (client, secret, tenant) => {
            let all = [("ARM_CLIENT_ID", client), ("ARM_CLIENT_SECRET", secret), ("ARM_TENANT_ID", tenant)];
            let lacking: Vec<_> = all.iter().filter(|(_, value)| value.is_none()).map(|(name, _)| *name).collect();
            let lacking = lacking.join(" and ");
            let ways = [format!("export {lacking}, or unset the other ARM_CLIENT_ variables")];
            Err(missing(&format!("the service principal's {lacking}"), &ways.each_ref().map(String::as_str)))
        }
    }
}

fn principal(source: &str, client: String, secret: String, tenant: String) -> Result<Credentials, Check> {
    if !is_uuid(&client) {
        return Err(malformed(source, "the client's id (appId) is a UUID"));
    }
    // A tenant may be named by its domain, too.
    let of_domain = |c: char| c.is_ascii_alphanumeric() || "-.".contains(c);
    if tenant.is_empty() || !tenant.chars().all(of_domain) {
        return Err(malformed(source, "the tenant is a UUID or a domain"));
    }
    Ok(Credentials::from(source)
        .unset(OTHER_IDENTITIES)
        .set("ARM_CLIENT_ID", client)
        .set("ARM_CLIENT_SECRET", secret)
        .set("ARM_TENANT_ID", tenant))
}

/// None: there is no such file.
fn principal_file(input: &CredentialInput, path: &str) -> Result<Option<Identity>, Check> {
    /// Both forms of `az ad sp create-for-rbac`.
    #[derive(Deserialize)]
    struct Principal {
        #[serde(alias = "clientId")]
        #[serde(rename = "appId")]
        client: Option<String>,
        #[serde(alias = "clientSecret")]
        password: Option<String>,
        #[serde(alias = "tenantId")]
        tenant: Option<String>,
        #[serde(rename = "subscriptionId")]
        subscription: Option<String>,
    }
    let Some(text) = input.read(path)? else { return Ok(None) };
    let principal_in: Principal = serde_json::from_str(&text)
        .map_err(|_| malformed(path, "is not the JSON that `az ad sp create-for-rbac` prints"))?;
    let filled = |value: Option<String>, names: &str| {
        value.filter(|v| !v.is_empty()).ok_or_else(|| malformed(path, &format!("has no {names}")))
    };
    let client = filled(principal_in.client, "appId (or clientId)")?;
    let secret = filled(principal_in.password, "password (or clientSecret)")?;
    let tenant = filled(principal_in.tenant, "tenant (or tenantId)")?;
    let subscription = principal_in.subscription.map(|id| (id, path.to_owned()));
    Ok(Some(Identity { credentials: principal(path, client, secret, tenant)?, subscription }))
}

/// What `az login` left behind; None: nobody is logged in.
fn login(input: &CredentialInput) -> Result<Option<Identity>, Check> {
    #[derive(Deserialize)]
    struct Profile {
        #[serde(default)]
        subscriptions: Vec<Subscription>,
    }
    #[derive(Deserialize)]
    #[serde(rename_all = "camelCase")]
    struct Subscription {
        id: String,
        tenant_id: Option<String>,
        #[serde(default)]
        is_default: bool,
    }
    let folder = input.env_of(&["AZURE_CONFIG_DIR"]).map_or("~/.azure".to_owned(), |found| found.value);
    let path = format!("{folder}/azureProfile.json");
    let Some(text) = input.read(&path)? else { return Ok(None) };
    // `az` writes a byte order mark.
    let profile: Profile = serde_json::from_str(text.trim_start_matches('\u{feff}'))
        .map_err(|_| malformed(&path, "is not what `az login` writes"))?;
    let wanted = input.option("subscription");
    let chosen = |s: &&Subscription| wanted.map_or(s.is_default, |id| s.id.eq_ignore_ascii_case(id));
    if profile.subscriptions.is_empty() {
        return Ok(None);
    }
    let mut credentials = Credentials::from(format!("az login ({path})"))
        .unset(OTHER_IDENTITIES)
        .unset(&["ARM_CLIENT_ID", "ARM_CLIENT_SECRET"]);
    let found = profile.subscriptions.iter().find(chosen);
    if let Some(tenant) = found.and_then(|s| s.tenant_id.as_ref()) {
        credentials = credentials.set("ARM_TENANT_ID", tenant);
    }
    Ok(Some(Identity { credentials, subscription: found.map(|s| (s.id.clone(), path)) }))
}

pub(super) fn is_uuid(text: &str) -> bool {
    let lengths = text.split('-').map(str::len);
    lengths.eq([8, 4, 4, 4, 12]) && text.chars().all(|c| c == '-' || c.is_ascii_hexdigit())
}

/// A service principal's secret is exchanged for a token; whoever else it is, `az` has to be logged in as well.
pub(super) fn authorization(credentials: &Credentials) -> Option<Authorization> {
    let value = |name| credentials.value(name).map(str::to_owned);
    if let (Some(client), Some(secret)) = (value("ARM_CLIENT_ID"), value("ARM_CLIENT_SECRET")) {
        let authority = value(AUTHORITY.0)?;
        let form = Body::Form(vec![
            ("grant_type", "client_credentials".into()),
            ("client_id", client),
            ("client_secret", secret),
            ("scope", "https://management.azure.com/.default".into()),
        ]);
        let url = format!("{}/{}/oauth2/v2.0/token", authority.trim_end_matches('/'), value("ARM_TENANT_ID")?);
        return Some(Authorization::Call(HttpCall::post(url, form), |answer| text(&answer["access_token"])));
    }
    let arguments = ["account", "get-access-token", "--output", "json", "--subscription"].map(str::to_owned);
    let arguments = arguments.into_iter().chain([value("ARM_SUBSCRIPTION_ID")?]).collect();
    Some(Authorization::Program("az", arguments, |answer| text(&answer["accessToken"])))
}

fn text(value: &Value) -> Option<String> {
    value.as_str().map(str::to_owned)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::super::PROVIDER;
    use super::*;
    use crate::providers::cloud::testing::Sources;

    const ID: [&str; 4] = [
        "11111111-1111-1111-1111-111111111111",
        "22222222-2222-2222-2222-222222222222",
        "33333333-3333-3333-3333-333333333333",
        "44444444-4444-4444-4444-444444444444",
    ];
    const SECRET: &str = "s3cr~t.value";

    fn principal_json() -> String {
        json!({"appId": ID[0], "displayName": "exasol", "password": SECRET, "tenant": ID[1]}).to_string()
    }

    fn in_environment(sources: Sources) -> Sources {
        sources.env("ARM_CLIENT_ID", ID[2]).env("ARM_CLIENT_SECRET", SECRET).env("ARM_TENANT_ID", ID[1])
    }

    fn logged_in(sources: Sources) -> Sources {
        let profile = json!({"installationId": "x", "subscriptions": [
            {"id": ID[0], "name": "other", "isDefault": false, "tenantId": ID[1]},
            {"id": ID[3], "name": "mine", "isDefault": true, "tenantId": ID[2], "user": {"name": "me", "type": "user"}},
        ]});
        sources.file("~/.azure/azureProfile.json", &format!("\u{feff}{profile}"))
    }

    #[test]
    fn flag_environment_file_and_login_in_this_order() {
        let file = Sources::new(&PROVIDER).file("~/.azure_credentials", &principal_json());
        let all = logged_in(in_environment(file.file("/p.json", &principal_json())));
        let named = all.clone().option("credentials_file", "/p.json").option("subscription", ID[3]);
        assert_eq!(named.find().unwrap().source, "/p.json");
        let found = all.option("subscription", ID[3]).find().unwrap();
        assert_eq!(found.source, "ARM_CLIENT_ID, ARM_CLIENT_SECRET, ARM_TENANT_ID");
        assert_eq!((found.value("ARM_CLIENT_ID"), found.value("ARM_SUBSCRIPTION_ID")), (Some(ID[2]), Some(ID[3])));
        let file = logged_in(Sources::new(&PROVIDER).file("~/.azure_credentials", &principal_json()));
        assert_eq!(file.option("subscription", ID[3]).find().unwrap().source, "~/.azure_credentials");
    }

    #[test]
    fn a_file_of_either_form_names_everything_and_nothing_else_counts() {
        let sdk =
            json!({"clientId": ID[0], "clientSecret": SECRET, "tenantId": "example.com", "subscriptionId": ID[2]});
        let found = Sources::new(&PROVIDER).file("~/.azure_credentials", &sdk.to_string()).find().unwrap();
        assert_eq!(found.value("ARM_CLIENT_SECRET"), Some(SECRET));
        assert_eq!(
            (found.value("ARM_TENANT_ID"), found.value("ARM_SUBSCRIPTION_ID")),
            (Some("example.com"), Some(ID[2]))
        );
        assert_eq!(found.facts["subscription"], ID[2]);
        assert!(found.env.contains(&("ARM_USE_MSI", None)));
        assert!(!format!("{found:?}").contains(SECRET));
    }

    #[test]
    fn a_login_has_its_default_subscription_and_the_tenant_of_the_chosen_one() {
        let login = logged_in(Sources::new(&PROVIDER));
        let found = login.find().unwrap();
        assert_eq!((found.value("ARM_SUBSCRIPTION_ID"), found.value("ARM_TENANT_ID")), (Some(ID[3]), Some(ID[2])));
        let found = login.option("subscription", ID[0]).find().unwrap();
        assert_eq!((found.value("ARM_SUBSCRIPTION_ID"), found.value("ARM_TENANT_ID")), (Some(ID[0]), Some(ID[1])));
        let elsewhere = Sources::new(&PROVIDER).env("AZURE_CONFIG_DIR", "/az");
        let elsewhere = elsewhere.file("/az/azureProfile.json", r#"{"subscriptions": []}"#);
        assert_eq!(elsewhere.find().unwrap_err().exit_code, 4);
    }

    #[test]
    fn other_ways_of_the_environment_are_left_to_the_terraform_provider() {
        let managed = Sources::new(&PROVIDER).env("ARM_USE_MSI", "true").option("subscription", ID[0]).find().unwrap();
        assert_eq!(managed.source, "ARM_USE_MSI");
        let certificate = Sources::new(&PROVIDER)
            .env("ARM_CLIENT_ID", ID[0])
            .env("ARM_TENANT_ID", ID[1])
            .env("ARM_CLIENT_CERTIFICATE_PATH", "/c.pfx")
            .option("subscription", ID[2]);
        assert_eq!(certificate.find().unwrap().source, "ARM_CLIENT_CERTIFICATE_PATH");
    }

    #[test]
    fn nothing_is_exit_4_and_tells_every_way() {
        let check = Sources::new(&PROVIDER).find().unwrap_err();
        assert_eq!(check.exit_code, 4);
        for way in ["az login", "ARM_CLIENT_ID", "~/.azure_credentials", "--azure-credentials-file"] {
            assert!(check.fix.concat().contains(way), "{way}");
        }
        let half = Sources::new(&PROVIDER).env("ARM_CLIENT_ID", ID[0]).env("ARM_CLIENT_SECRET", "").find().unwrap_err();
        assert_eq!(half.exit_code, 4);
        assert!(half.detail.contains("ARM_CLIENT_SECRET and ARM_TENANT_ID"), "{}", half.detail);
        let check = in_environment(Sources::new(&PROVIDER)).find().unwrap_err();
        assert_eq!(check.exit_code, 4);
        assert!(check.fix.concat().contains("--azure-subscription"));
    }

    #[test]
    fn what_cannot_be_right_is_exit_2_and_not_shown() {
        let file = |text: &str| Sources::new(&PROVIDER).file("~/.azure_credentials", text).find();
        let id = ID[0];
        for (text, says) in [
            ("", "is not the JSON"),
            ("{}", "has no appId"),
            (&format!(r#"{{"appId": "{id}", "password": "", "tenant": "t"}}"#), "has no password"),
            (&format!(r#"{{"appId": "hunter2", "password": "{SECRET}", "tenant": "t"}}"#), "appId"),
            (&format!(r#"{{"appId": "{id}", "password": "{SECRET}", "tenant": "a/../b"}}"#), "tenant"),
            (
                &format!(r#"{{"appId": "{id}", "password": "{SECRET}", "tenant": "t", "subscriptionId": "hunter2"}}"#),
                "subscription",
            ),
        ] {
            let check = file(text).unwrap_err();
            assert_eq!(check.exit_code, 2, "{text}");
            assert!(check.detail.contains(says) && check.detail.contains("~/.azure_credentials"), "{}", check.detail);
            assert!(!check.detail.contains("hunter2") && !check.detail.contains(SECRET));
        }
        let absent = Sources::new(&PROVIDER).option("credentials_file", "/none.json").find().unwrap_err();
        assert_eq!((absent.exit_code, absent.detail.contains("/none.json")), (2, true));
        let torn = Sources::new(&PROVIDER).file("~/.azure/azureProfile.json", "{").find().unwrap_err();
        assert_eq!(torn.exit_code, 2);
    }

    #[test]
    fn a_secret_becomes_a_token_and_a_login_asks_az() {
        let principal = in_environment(Sources::new(&PROVIDER)).option("subscription", ID[3]);
        let credentials = principal.env("AZURE_AUTHORITY_HOST", "https://login.example/").find().unwrap();
        let Some(Authorization::Call(call, token)) = authorization(&credentials) else { panic!() };
        assert_eq!(call.url, format!("https://login.example/{}/oauth2/v2.0/token", ID[1]));
        assert!(matches!(&call.body, Body::Form(fields) if fields.contains(&("client_secret", SECRET.to_owned()))));
        assert!(!format!("{call:?}").contains(SECRET));
        assert_eq!(token(&json!({"access_token": "t"})), Some("t".into()));

        let login = logged_in(Sources::new(&PROVIDER)).find().unwrap();
        let Some(Authorization::Program("az", arguments, token)) = authorization(&login) else { panic!() };
        assert_eq!(arguments.last().unwrap(), ID[3]);
        assert_eq!(token(&json!({"accessToken": "t"})), Some("t".into()));
    }

    #[test]
    fn fuzz_credentials_azure() {
        let profile = json!({"subscriptions": [{"id": ID[0], "isDefault": true, "tenantId": ID[1]}]}).to_string();
        crate::fuzz::text_target("credentials-azure", &[&principal_json(), &profile], |text| {
            let _ = Sources::new(&PROVIDER).file("~/.azure_credentials", text).find();
            let _ = Sources::new(&PROVIDER).file("~/.azure/azureProfile.json", text).find();
        });
    }
}
