//! Which statements are kept out of files. Pure, and rather too careful: a statement that was
//! mistyped, or whose password stands where nobody expects it, must not be kept either.

/// Wherever they stand, in comments and names too.
const MARKS: [&str; 7] = ["identified", "password", "passwd", "pwd", "secret", "token", "credential"];
/// After CREATE or ALTER, whatever stands between.
const OBJECTS: [&str; 2] = ["user", "connection"];

/// Whether a statement may hold a password or what serves as one.
pub fn may_hold_password(statement: &str) -> bool {
    let lower = statement.to_lowercase();
    if MARKS.iter().any(|mark| lower.contains(mark)) {
        return true;
    }
    let mut words = lower.split(|c: char| !c.is_alphanumeric() && c != '_');
    words.any(|word| matches!(word, "create" | "alter")) && words.any(|word| OBJECTS.contains(&word))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn statements_with_passwords_are_known() {
        for statement in [
            "ALTER USER sys IDENTIFIED BY \"x\"",
            "alter user sys identified by x",
            "create\n  user/**/a identified at kerberos principal 'x'",
            "ALTER USER sys IDENTIFED BY x",
            "CREATE OR REPLACE CONNECTION c TO 'ftp://h' USER 'u' IDENTIFIED BY 'x'",
            "ALTER CONNECTION c TO 'https://h/?sig=x'",
            "IMPORT INTO t FROM JDBC AT 'jdbc:x' USER 'u' IDENTIFIED BY 'x' TABLE t",
            "EXPORT t INTO CSV AT 'https://h' FILE 'x?access_token=y'",
            "ALTER SESSION SET x = 'password=y'",
        ] {
            assert!(may_hold_password(statement), "{statement}");
        }
    }

    #[test]
    fn ordinary_statements_are_not_taken_for_such() {
        for statement in
            ["SELECT 1", "SELECT * FROM exa_all_users", "CREATE TABLE t (a INT)", "SELECT current_user", "DROP USER a"]
        {
            assert!(!may_hold_password(statement), "{statement}");
        }
    }
}
