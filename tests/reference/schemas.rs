//! `schemas/*.json`: one JSON Schema for each result, for events and for the error object.

use schemars::generate::SchemaSettings;
use schemars::{JsonSchema, Schema};
use serde_json::{Value, json};

use super::errors;
use crate::events::Stamped;
use crate::model::*;

/// A result: the name of its schema, the commands that answer with it, and the schema.
pub(super) struct Result {
    pub name: &'static str,
    pub commands: &'static str,
    pub schema: Value,
}

/// In the order of the commands' help.
pub(super) fn results() -> Vec<Result> {
    vec![
        result::<InitReport>("init", "exasol init"),
        result::<UpdateReport>("update", "exasol init --update"),
        result::<Vec<Listed>>(
            "listed",
            "exasol init --list-providers, exasol init --list-versions, exasol init --list-types, exasol init --list-regions",
        ),
        result::<PermissionsReport>("permissions", "exasol init --show-permissions"),
        result::<DeployReport>("deploy", "exasol deploy, exasol up"),
        result::<PlanReport>("plan", "exasol deploy --plan"),
        result::<StatusReport>("status", "exasol status"),
        result::<PowerReport>("power", "exasol stop, exasol start"),
        result::<HealthReport>("health", "exasol health"),
        result::<DestroyReport>("destroy", "exasol destroy"),
        result::<RunReport>("run", "exasol run"),
        result::<CleanReport>("clean", "exasol run --clean"),
        result::<DoctorReport>("doctor", "exasol doctor"),
        result::<InfoReport>("info", "exasol info"),
        result::<ClientReport>("info-for", "exasol info --for"),
        result::<TunnelReport>("tunnel", "exasol tunnel"),
        result::<OpenReport>("open", "exasol open"),
        result::<SqlReport>("sql", "exasol sql"),
        result::<LogList>("logs", "exasol logs --list"),
        result::<LicenseReport>("license", "exasol license show, exasol license upload"),
        result::<CertificateReport>("certificate", "exasol certificate show, exasol certificate set"),
        result::<StateReport>("state-show", "exasol state show"),
        result::<StateCheck>("state-verify", "exasol state verify"),
        result::<StateRepair>("state-repair", "exasol state repair"),
        result::<HtmlReport>("report", "exasol report"),
        result::<SupportReport>("support", "exasol support"),
        result::<DeploymentsReport>("list", "exasol list"),
        result::<AdoptReport>("adopt", "exasol adopt"),
        result::<SweepReport>("sweep", "exasol sweep"),
        result::<VersionsReport>("versions", "exasol versions"),
        result::<CacheReport>("cache", "exasol cache list, exasol cache prune"),
        result::<WarmReport>("cache-warm", "exasol cache warm"),
        result::<ScriptReport>("script", "exasol completions, exasol man"),
        result::<WrittenReport>("written", "exasol man --dir"),
        result::<VersionReport>("version", "exasol version"),
    ]
}

/// By name.
pub(super) fn all() -> Vec<(&'static str, Value)> {
    let mut all: Vec<_> = results().into_iter().map(|result| (result.name, result.schema)).collect();
    all.push(("event", event()));
    all.push(("error", error()));
    all
}

pub(super) fn event() -> Value {
    titled(root::<Stamped>(), "An event: a line of a long command's output before the result")
}

fn root<T: JsonSchema>() -> Value {
    let schema: Schema = SchemaSettings::draft2020_12().for_serialize().into_generator().into_root_schema_for::<T>();
    serde_json::to_value(schema).unwrap()
}

/// A result is an object that begins with its schema's number; a list stands below `items`.
fn result<T: JsonSchema>(name: &'static str, commands: &'static str) -> Result {
    let mut schema = root::<T>();
    if schema["type"] == "array" {
        let defs = schema["$defs"].take();
        schema = json!({
            "$schema": schema["$schema"],
            "type": "object",
            "properties": { "items": { "type": "array", "items": schema["items"] } },
            "required": ["items"],
            "$defs": defs,
        });
    }
    let mut properties = serde_json::Map::new();
    properties.insert("schema".into(), json!({ "description": "Version of the result's form.", "const": SCHEMA }));
    properties.extend(schema["properties"].as_object().cloned().unwrap_or_default());
    schema["properties"] = properties.into();
    let mut required = schema["required"].as_array().cloned().unwrap_or_default();
    required.insert(0, "schema".into());
    schema["required"] = required.into();
    Result { name, commands, schema: titled(schema, &format!("The result of {commands}")) }
}

fn titled(mut schema: Value, title: &str) -> Value {
    schema["title"] = title.into();
    schema
}

/// What `ui` makes of an error; a test in `tests/cli` holds real ones against it.
fn error() -> Value {
    #[derive(JsonSchema)]
    #[allow(dead_code)]
    struct Failure {
        /// Stable, for programs.
        code: String,
        /// For people.
        message: String,
        /// What to do about it.
        hint: Option<String>,
        exit_code: u8,
        /// The operation that failed.
        #[serde(skip_serializing_if = "Option::is_none")]
        operation: Option<Operation>,
        /// What exists now.
        #[serde(skip_serializing_if = "Option::is_none")]
        now: Option<String>,
        /// Commands that lead on from here.
        #[serde(skip_serializing_if = "Option::is_none")]
        next: Option<Vec<String>>,
        /// The step in which the operation ended.
        #[serde(skip_serializing_if = "Option::is_none")]
        step: Option<String>,
        /// What was seen of the machines that explains it: "n11's machine is off".
        #[serde(skip_serializing_if = "Option::is_none")]
        machines: Option<Vec<String>>,
        /// Something exists that is paid for.
        #[serde(skip_serializing_if = "Option::is_none")]
        costs: Option<bool>,
        /// A common cause, recognized by what a tool printed.
        #[serde(skip_serializing_if = "Option::is_none")]
        cause: Option<Cause>,
        /// The preflight checks that failed.
        #[serde(skip_serializing_if = "Option::is_none")]
        checks: Option<Vec<Check>>,
        #[serde(skip_serializing_if = "Option::is_none")]
        tool: Option<Tool>,
        /// Of `machine_dead`.
        #[serde(skip_serializing_if = "Option::is_none")]
        machine: Option<Machine>,
        /// Of `invalid_values`: each of them.
        #[serde(skip_serializing_if = "Option::is_none")]
        errors: Option<Vec<Wrong>>,
    }
    /// One of several wrong values.
    #[derive(JsonSchema)]
    #[allow(dead_code)]
    struct Wrong {
        code: String,
        message: String,
        hint: Option<String>,
    }
    /// What is behind a failure.
    #[derive(JsonSchema)]
    #[allow(dead_code)]
    struct Cause {
        /// `dns`, `proxy`, `registry_unreachable`, `unreachable`, `credentials_refused`, `permission`, `quota`, `no_capacity`,
        /// `no_room`, `apparmor`
        code: String,
        /// One sentence for people.
        text: String,
    }
    /// A machine that does not boot.
    #[derive(JsonSchema)]
    #[allow(dead_code)]
    struct Machine {
        node: String,
        /// `kernel_panic`, `kernel_oops`, `no_boot_device`, `boot_loader`, `initramfs`, `emergency_mode`, `firmware_shell`,
        /// `boot_stuck`, `no_sign_of_life`
        reason: String,
        /// How often it was reset before it was given up.
        resets: u32,
    }
    /// A program that failed.
    #[derive(JsonSchema)]
    #[allow(dead_code)]
    struct Tool {
        name: String,
        /// Without secrets.
        command: String,
        /// `exit status 1`, `signal 9`
        status: String,
        /// Its own words, the cause first.
        diagnostics: Vec<String>,
        /// The last lines that it printed.
        tail: Vec<String>,
        log: Option<String>,
    }
    #[derive(JsonSchema)]
    #[allow(dead_code)]
    struct Answer {
        error: Failure,
    }
    let mut schema = result::<Answer>("error", "a command that failed").schema;
    schema["$defs"]["Failure"]["properties"]["code"]["enum"] = errors::codes_of_all().into();
    schema
}
