//! What is given to others has no secrets in it: `support` and `report` clean every text with this.
//!
//! | file | concept |
//! | --- | --- |
//! | `secrets` | the secrets that this machine knows |
//! | `masks` | pure: known secrets are taken out of a text |
//! | `forms` | pure: the forms in which a secret may stand in a text |
//! | `patterns` | pure: what has a secret's form is taken out |
//!
//! Does not belong here: which texts are collected.

mod forms;
mod masks;
mod patterns;
mod secrets;

pub(super) use masks::Masks;
pub(super) use patterns::is_base64_line;
pub(super) use secrets::known;
