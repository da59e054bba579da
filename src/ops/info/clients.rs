//! Pure: what one client needs to connect, in the form in which it takes it.
//!
//! `host,host/FINGERPRINT:port` is understood by Exasol's drivers, EXAplus and pyexasol; with the fingerprint they
//! trust this certificate and no other. The ODBC driver's name is that of Exasol's documentation, "Using the ODBC
//! driver"; others can be registered in odbcinst.ini.

use crate::model::{InfoReport, quote};

pub const CLIENTS: [&str; 6] = ["pyexasol", "dbeaver", "exaplus", "jdbc", "odbc", "env"];

/// The lines for one of [`CLIENTS`]. `show_password`: the command that shows the password, where the report has none.
pub(super) fn text(client: &str, info: &InfoReport, show_password: &str) -> String {
    let password = info.password.as_deref();
    let lines = match client {
        "pyexasol" => pyexasol(info, show_password),
        "dbeaver" => dbeaver(info, show_password),
        "exaplus" => exaplus(info, show_password),
        "jdbc" => vec![with(info.jdbc.clone(), ";password=", password)],
        "odbc" => vec![with(info.odbc.clone(), ";PWD=", password.map(odbc_value).as_deref())],
        _ => env(info),
    };
    lines.join("\n") + "\n"
}

fn with(text: String, key: &str, value: Option<&str>) -> String {
    value.map_or(text.clone(), |value| format!("{text}{key}{value}"))
}

/// In braces nothing but a closing one is special.
fn odbc_value(value: &str) -> String {
    format!("{{{}}}", value.replace('}', "}}"))
}

fn pyexasol(info: &InfoReport, show_password: &str) -> Vec<String> {
    let password = match &info.password {
        Some(password) => python(password),
        None => "os.environ[\"EXASOL_PASSWORD\"]".to_owned(),
    };
    let mut lines = Vec::new();
    if info.password.is_none() {
        lines.push(format!("# the password: eval \"$({show_password} --for env)\""));
        lines.push("import os".to_owned());
    }
    lines.push("import pyexasol".to_owned());
    lines.push(String::new());
    lines.push(format!(
        "c = pyexasol.connect(dsn={}, user={}, password={password})",
        python(&info.dsn),
        python(&info.user)
    ));
    lines.push("print(c.execute(\"SELECT 1\").fetchall())".to_owned());
    lines
}

/// A string literal: JSON's are Python's, too.
fn python(text: &str) -> String {
    serde_json::Value::from(text).to_string()
}

fn dbeaver(info: &InfoReport, show_password: &str) -> Vec<String> {
    let hosts = info.hosts.join(",");
    let host = match &info.certificate_fingerprint {
        Some(print) => format!("{hosts}/{}", print.to_uppercase()),
        None => hosts,
    };
    vec![
        "New Database Connection > Exasol:".to_owned(),
        format!("  Host       {host}"),
        format!("  Port       {}", info.port),
        format!("  User name  {}", info.user),
        format!("  Password   {}", info.password.clone().unwrap_or_else(|| format!("(shown by: {show_password})"))),
        "or, as URL:".to_owned(),
        format!("  {}", info.jdbc),
    ]
}

/// Without `-p` it asks: a password in a command line can be read by everybody.
fn exaplus(info: &InfoReport, show_password: &str) -> Vec<String> {
    let password = info.password.clone().unwrap_or_else(|| format!("shown by: {show_password}"));
    vec![
        format!("exaplus -c {} -u {}", quote(&info.dsn), quote(&info.user)),
        format!("# it asks for the password ({password})"),
    ]
}

/// For `eval`: every value is one word to a shell.
fn env(info: &InfoReport) -> Vec<String> {
    let mut variables = vec![
        ("EXASOL_DSN", info.dsn.clone()),
        ("EXASOL_HOST", info.host.clone()),
        ("EXASOL_HOSTS", info.hosts.join(",")),
        ("EXASOL_PORT", info.port.to_string()),
        ("EXASOL_USER", info.user.clone()),
    ];
    variables.extend(info.certificate_fingerprint.clone().map(|print| ("EXASOL_FINGERPRINT", print)));
    variables.extend(info.password.clone().map(|password| ("EXASOL_PASSWORD", password)));
    variables.iter().map(|(name, value)| format!("export {name}={}", quote(value))).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::Whose;

    fn info(password: Option<&str>) -> InfoReport {
        let dsn = "192.0.2.1,192.0.2.2/AB12:8563";
        InfoReport {
            whose: Whose { deployment: "exasol-0001abff".into(), name: "demo".into() },
            rehearsal: false,
            db_version: "exasol-2025.1.8".into(),
            release: None,
            host: "192.0.2.1".into(),
            hosts: vec!["192.0.2.1".into(), "192.0.2.2".into()],
            port: 8563,
            user: "sys".into(),
            unknown_passwords: None,
            password: password.map(str::to_owned),
            password_file: "/demo/secrets.json".into(),
            certificate_fingerprint: Some("ab12".into()),
            license: None,
            warm_base: None,
            jdbc: format!("jdbc:exa:{dsn};user=sys"),
            odbc: format!("DRIVER={{Exasol}};EXAHOST={dsn};UID=sys"),
            dsn: dsn.into(),
            admin_ui: String::new(),
            admin_ui_password: None,
            ssh: String::new(),
            tunnel: None,
            clients: String::new(),
            show_password: String::new(),
        }
    }

    #[test]
    fn every_client_gets_its_own_form_and_no_password() {
        let shown = CLIENTS.map(|client| {
            let text = text(client, &info(None), "exasol info --show-password -d demo");
            assert!(text.contains("AB12") || text.contains("ab12"), "{client}: {text}");
            format!("--- {client}\n{text}")
        });
        insta::assert_snapshot!(shown.join(""));
    }

    #[test]
    fn a_password_is_shown_where_it_is_asked_for_and_quoted() {
        let nasty = "p'w}\"$(id)\\";
        let shown = CLIENTS.map(|client| format!("--- {client}\n{}", text(client, &info(Some(nasty)), "")));
        insta::assert_snapshot!(shown.join(""));
    }
}
