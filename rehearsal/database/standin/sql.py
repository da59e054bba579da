"""The statements that get an answer, and the shape of answers.

A stand-in that said yes to DDL or invented tables would prove nothing, so the list is short and
everything else is refused with SQLSTATE 0A000 and a text that names the statement.
"""

import re

from . import LABEL, RELEASE

NOT_SUPPORTED = "0A000"
# What the login can carry: RSA 1024 with PKCS #1 v1.5.
PASSWORD_LIMIT = 117
_SHOWN = 200  # characters of a refused statement that the error repeats

_LEADING = re.compile(r"\A(?:\s+|--[^\n]*(?:\n|\Z)|/\*.*?\*/)+", re.DOTALL)
_SELECT_ONE = re.compile(r"SELECT\s+1\Z", re.IGNORECASE)
_METADATA = re.compile(
    r"SELECT\s+PARAM_VALUE\s+FROM\s+(?:SYS\.)?EXA_METADATA\s+WHERE\s+PARAM_NAME\s*=\s*"
    r"'DATABASEPRODUCTVERSION'\Z",
    re.IGNORECASE,
)
_WITHOUT_ROWS = re.compile(
    r"(?:COMMIT(?:\s+WORK)?|ROLLBACK(?:\s+WORK)?"
    r"|ALTER\s+SESSION\s+SET\s+[A-Z_][A-Z0-9_]*\s*=\s*(?:'(?:[^']|'')*'|[A-Z0-9_.+-]+))\Z",
    re.IGNORECASE,
)
# ASCII: otherwise other letters are taken for an S.
_NEW_PASSWORD = re.compile(
    r'ALTER\s+USER\s+SYS\s+IDENTIFIED\s+BY\s*"((?:[^"]|"")*)"\Z', re.IGNORECASE | re.ASCII
)
# Where a refused statement may have a password: after these nothing of it is shown.
_BEFORE_PASSWORD = re.compile(
    r"\b(?:IDENTIFIED|(?:ALTER|CREATE)\s+USER(?:\s+\w+)?)\b", re.IGNORECASE
)


class SqlError(Exception):
    """Becomes {"status": "error", "exception": {"text", "sqlCode"}}."""

    def __init__(self, code, text):
        super().__init__(text)
        self.code = code
        self.text = text


def refuse(what):
    return SqlError(NOT_SUPPORTED, f"{LABEL}: feature not supported: {what}")


class NewPassword:
    """ALTER USER sys IDENTIFIED BY "…": the one statement that has to be carried out."""

    def __init__(self, password):
        try:
            size = len(password.encode("utf-8"))
        except UnicodeEncodeError:
            raise SqlError("42000", f"{LABEL}: the new password is not UTF-8") from None
        if not 0 < size <= PASSWORD_LIMIT:
            text = f"the new password has {size} bytes: 1 to {PASSWORD_LIMIT} are possible"
            raise SqlError("42000", f"{LABEL}: {text}")
        self.password = password


def understand(text, release=RELEASE):
    """The result of one statement, as it stands in `results` of an answer; or a NewPassword."""
    if not isinstance(text, str):
        raise SqlError("42000", f"{LABEL}: sqlText is missing or no string")
    statement = _LEADING.sub("", text).strip()
    statement = statement[:-1].rstrip() if statement.endswith(";") else statement
    if _SELECT_ONE.match(statement):
        kind = {"type": "DECIMAL", "precision": 1, "scale": 0}
        return _rows([{"name": "1", "dataType": kind}], [[1]])
    if _METADATA.match(statement):
        kind = {"type": "VARCHAR", "size": 2000, "characterSet": "UTF8"}
        return _rows([{"name": "PARAM_VALUE", "dataType": kind}], [[release]])
    if _WITHOUT_ROWS.match(statement):
        return done()
    new_password = _NEW_PASSWORD.match(statement)
    if new_password:
        return NewPassword(new_password[1].replace('""', '"'))
    raise refuse(_shown(statement) or "an empty statement")


def _shown(statement):
    secret = _BEFORE_PASSWORD.search(statement)
    end = min(_SHOWN, secret.end() if secret else _SHOWN)
    return statement if len(statement) <= end else statement[:end] + "…"


def done():
    """The result of a statement without rows."""
    return {"resultType": "rowCount", "rowCount": 0}


def described(result):
    """The result as the answer to "prepare" shows it: columns, no rows yet."""
    if isinstance(result, NewPassword):
        return done()
    if result["resultType"] != "resultSet":
        return result
    columns = result["resultSet"]["columns"]
    return _rows(columns, [[] for _ in columns])


def answer(results):
    return {"numResults": len(results), "results": results}


def _rows(columns, data):
    # `data` goes column by column: data[column][row].
    count = len(data[0])
    return {
        "resultType": "resultSet",
        "resultSet": {
            "numColumns": len(columns),
            "numRows": count,
            "numRowsInMessage": count,
            "columns": columns,
            "data": data,
        },
    }
