//! Addresses of nodes in a network of the deployment's own.

use std::net::Ipv4Addr;

use ipnet::Ipv4Net;

/// Where the nodes begin: n11 has .11.
pub(super) const FIRST_HOST: u32 = 11;

/// The address of the `index`th node: .11, .12, …; None where the range ends before it.
pub(super) fn host_address(range: Ipv4Net, index: u32) -> Option<Ipv4Addr> {
    let address = u32::from(range.network()).checked_add(FIRST_HOST)?.checked_add(index)?;
    (address < u32::from(range.broadcast())).then(|| address.into())
}
