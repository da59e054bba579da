/// A program that must be on PATH, by exactly this name.
#[derive(Debug, Clone, Copy)]
pub struct Program {
    pub name: &'static str,
    /// "makes the cloud-init disk".
    pub needed_for: &'static str,
    /// The package that has it on Debian and Ubuntu, on the RHEL family and Fedora, on openSUSE, on Arch.
    pub debian: &'static str,
    pub fedora: &'static str,
    pub suse: &'static str,
    pub arch: &'static str,
}
