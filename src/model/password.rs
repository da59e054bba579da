/// The longest password that can log in over SQL: the login encrypts it with the server's 1024-bit RSA key, and
/// PKCS #1 v1.5 padding leaves 117 of the 128 bytes.
pub const PASSWORD_MAX_BYTES: usize = 117;
