//! libvirt's C functions, opened when they are first needed.
//!
//! `virt` declares them as external symbols. Linked in the ordinary way, the binary would not even
//! print its help on a machine without libvirt.so.0. So the library is kept out of the link
//! (.cargo/config.toml) and the symbols are defined here: each forwards to the function of the same
//! name in the library that [`load`] has opened. Exactly those in use are here; one that is missing
//! is an error of the linker, one with a wrong type an error of the compiler.

use std::ffi::{c_char, c_int, c_uint, c_ulong, c_ulonglong, c_void};
use std::sync::OnceLock;

use virt_sys as sys;

/// The major version is part of the name; libvirt has kept it since 2005.
const LIBRARY: &str = if cfg!(target_os = "macos") { "libvirt.0.dylib" } else { "libvirt.so.0" };

static OPENED: OnceLock<Result<Library, String>> = OnceLock::new();

/// Opens the library, once. Must have succeeded before anything of `virt` is called.
pub(super) fn load() -> Result<(), String> {
    match OPENED.get_or_init(Library::open) {
        Ok(_) => Ok(()),
        Err(cause) => Err(cause.clone()),
    }
}

/// The loader's own words: "libvirt.so.0: cannot open shared object file: No such file or directory".
fn cause(error: &libloading::Error) -> String {
    std::error::Error::source(error).map_or_else(|| error.to_string(), ToString::to_string)
}

fn opened() -> &'static Library {
    match OPENED.get() {
        Some(Ok(library)) => library,
        // Not reachable: Client::open loads before it makes the first object. There is nothing
        // sensible to return from here, and unwinding into C is not defined.
        _ => std::process::abort(),
    }
}

macro_rules! forward {
    ($(fn $name:ident($($argument:ident: $type:ty),* $(,)?) $(-> $answer:ty)?;)*) => {
        #[allow(non_snake_case)]
        struct Library {
            $($name: unsafe extern "C" fn($($type),*) $(-> $answer)?,)*
        }

        impl Library {
            fn open() -> Result<Self, String> {
                // SAFETY: libvirt's initialisation is made to be run this way by any program.
                let library = unsafe { libloading::Library::new(LIBRARY) }.map_err(|e| cause(&e))?;
                let table = Self {
                    $($name: {
                        let symbol = concat!(stringify!($name), "\0");
                        // SAFETY: the type is checked against the binding below.
                        match unsafe { library.get::<unsafe extern "C" fn($($type),*) $(-> $answer)?>(symbol.as_bytes()) } {
                            Ok(function) => *function,
                            Err(_) => return Err(format!("{LIBRARY} is too old: it has no {}", stringify!($name))),
                        }
                    },)*
                };
                // libvirt keeps threads and thread-local data: it can't be unloaded.
                std::mem::forget(library);
                Ok(table)
            }
        }

        $(
            #[unsafe(no_mangle)]
            #[allow(non_snake_case)]
            unsafe extern "C" fn $name($($argument: $type),*) $(-> $answer)? {
                // SAFETY: the caller's promises are passed on as they are.
                unsafe { (opened().$name)($($argument),*) }
            }

            const _: unsafe extern "C" fn($($type),*) $(-> $answer)? = sys::$name;
        )*
    };
}

forward! {
    fn virGetVersion(libVer: *mut c_ulong, type_: *const c_char, typeVer: *mut c_ulong) -> c_int;
    fn virConnectGetLibVersion(conn: sys::virConnectPtr, libVer: *mut c_ulong) -> c_int;
    fn virConnectGetVersion(conn: sys::virConnectPtr, hvVer: *mut c_ulong) -> c_int;
    fn virConnectOpen(name: *const c_char) -> sys::virConnectPtr;
    fn virConnectClose(conn: sys::virConnectPtr) -> c_int;
    fn virConnectGetType(conn: sys::virConnectPtr) -> *const c_char;
    fn virConnectGetDomainCapabilities(conn: sys::virConnectPtr, emulatorbin: *const c_char, arch: *const c_char, machine: *const c_char, virttype: *const c_char, flags: c_uint) -> *mut c_char;
    fn virConnectListAllDomains(conn: sys::virConnectPtr, domains: *mut *mut sys::virDomainPtr, flags: c_uint) -> c_int;
    fn virConnectListAllNetworks(conn: sys::virConnectPtr, nets: *mut *mut sys::virNetworkPtr, flags: c_uint) -> c_int;
    fn virConnectListAllStoragePools(conn: sys::virConnectPtr, pools: *mut *mut sys::virStoragePoolPtr, flags: c_uint) -> c_int;
    fn virNodeGetInfo(conn: sys::virConnectPtr, info: sys::virNodeInfoPtr) -> c_int;
    fn virNodeGetMemoryStats(conn: sys::virConnectPtr, cellNum: c_int, params: sys::virNodeMemoryStatsPtr, nparams: *mut c_int, flags: c_uint) -> c_int;
    fn virInterfaceLookupByName(conn: sys::virConnectPtr, name: *const c_char) -> sys::virInterfacePtr;
    fn virInterfaceGetXMLDesc(iface: sys::virInterfacePtr, flags: c_uint) -> *mut c_char;
    fn virInterfaceFree(iface: sys::virInterfacePtr) -> c_int;
    fn virGetLastError() -> sys::virErrorPtr;
    fn virSetErrorFunc(userData: *mut c_void, handler: sys::virErrorFunc);

    fn virStoragePoolLookupByName(conn: sys::virConnectPtr, name: *const c_char) -> sys::virStoragePoolPtr;
    fn virStoragePoolFree(pool: sys::virStoragePoolPtr) -> c_int;
    fn virStoragePoolIsActive(pool: sys::virStoragePoolPtr) -> c_int;
    fn virStoragePoolRefresh(pool: sys::virStoragePoolPtr, flags: c_uint) -> c_int;
    fn virStoragePoolGetInfo(vol: sys::virStoragePoolPtr, info: sys::virStoragePoolInfoPtr) -> c_int;
    fn virStoragePoolGetName(pool: sys::virStoragePoolPtr) -> *const c_char;
    fn virStoragePoolGetXMLDesc(pool: sys::virStoragePoolPtr, flags: c_uint) -> *mut c_char;
    fn virStoragePoolDefineXML(conn: sys::virConnectPtr, xmlDesc: *const c_char, flags: c_uint) -> sys::virStoragePoolPtr;
    fn virStoragePoolBuild(pool: sys::virStoragePoolPtr, flags: c_uint) -> c_int;
    fn virStoragePoolCreate(pool: sys::virStoragePoolPtr, flags: c_uint) -> c_int;
    fn virStoragePoolIsPersistent(pool: sys::virStoragePoolPtr) -> c_int;
    fn virStoragePoolGetAutostart(pool: sys::virStoragePoolPtr, autostart: *mut c_int) -> c_int;
    fn virStoragePoolSetAutostart(pool: sys::virStoragePoolPtr, autostart: c_int) -> c_int;
    fn virStoragePoolListAllVolumes(pool: sys::virStoragePoolPtr, vols: *mut *mut sys::virStorageVolPtr, flags: c_uint) -> c_int;

    fn virStorageVolLookupByName(pool: sys::virStoragePoolPtr, name: *const c_char) -> sys::virStorageVolPtr;
    fn virStorageVolFree(vol: sys::virStorageVolPtr) -> c_int;
    fn virStorageVolGetName(vol: sys::virStorageVolPtr) -> *const c_char;
    fn virStorageVolGetXMLDesc(pool: sys::virStorageVolPtr, flags: c_uint) -> *mut c_char;
    fn virStorageVolCreateXML(pool: sys::virStoragePoolPtr, xmldesc: *const c_char, flags: c_uint) -> sys::virStorageVolPtr;
    fn virStorageVolDelete(vol: sys::virStorageVolPtr, flags: c_uint) -> c_int;
    fn virStorageVolResize(vol: sys::virStorageVolPtr, capacity: c_ulonglong, flags: c_uint) -> c_int;
    fn virStorageVolCreateXMLFrom(pool: sys::virStoragePoolPtr, xmldesc: *const c_char, clonevol: sys::virStorageVolPtr, flags: c_uint) -> sys::virStorageVolPtr;
    fn virStorageVolDownload(vol: sys::virStorageVolPtr, stream: sys::virStreamPtr, offset: c_ulonglong, length: c_ulonglong, flags: c_uint) -> c_int;
    fn virStorageVolUpload(vol: sys::virStorageVolPtr, stream: sys::virStreamPtr, offset: c_ulonglong, length: c_ulonglong, flags: c_uint) -> c_int;

    fn virStreamNew(conn: sys::virConnectPtr, flags: c_uint) -> sys::virStreamPtr;
    fn virStreamFree(st: sys::virStreamPtr) -> c_int;
    fn virStreamSend(st: sys::virStreamPtr, data: *const c_char, nbytes: usize) -> c_int;
    fn virStreamRecv(st: sys::virStreamPtr, data: *mut c_char, nbytes: usize) -> c_int;
    fn virStreamFinish(st: sys::virStreamPtr) -> c_int;
    fn virStreamAbort(st: sys::virStreamPtr) -> c_int;
    fn virStreamEventRemoveCallback(stream: sys::virStreamPtr) -> c_int;

    fn virNetworkLookupByName(conn: sys::virConnectPtr, name: *const c_char) -> sys::virNetworkPtr;
    fn virNetworkFree(network: sys::virNetworkPtr) -> c_int;
    fn virNetworkGetXMLDesc(network: sys::virNetworkPtr, flags: c_uint) -> *mut c_char;
    fn virNetworkDefineXML(conn: sys::virConnectPtr, xmlDesc: *const c_char) -> sys::virNetworkPtr;
    fn virNetworkCreate(network: sys::virNetworkPtr) -> c_int;
    fn virNetworkIsActive(net: sys::virNetworkPtr) -> c_int;
    fn virNetworkIsPersistent(net: sys::virNetworkPtr) -> c_int;
    fn virNetworkGetAutostart(net: sys::virNetworkPtr, autostart: *mut c_int) -> c_int;
    fn virNetworkSetAutostart(network: sys::virNetworkPtr, autostart: c_int) -> c_int;
    fn virNetworkDestroy(network: sys::virNetworkPtr) -> c_int;
    fn virNetworkUndefine(network: sys::virNetworkPtr) -> c_int;
    fn virNetworkGetDHCPLeases(network: sys::virNetworkPtr, mac: *const c_char, leases: *mut *mut sys::virNetworkDHCPLeasePtr, flags: c_uint) -> c_int;
    fn virNetworkDHCPLeaseFree(lease: sys::virNetworkDHCPLeasePtr);

    fn virDomainLookupByName(conn: sys::virConnectPtr, name: *const c_char) -> sys::virDomainPtr;
    fn virDomainFree(domain: sys::virDomainPtr) -> c_int;
    fn virDomainGetName(domain: sys::virDomainPtr) -> *const c_char;
    fn virDomainGetState(domain: sys::virDomainPtr, state: *mut c_int, reason: *mut c_int, flags: c_uint) -> c_int;
    fn virDomainGetXMLDesc(domain: sys::virDomainPtr, flags: c_uint) -> *mut c_char;
    fn virDomainCreateXML(conn: sys::virConnectPtr, xmlDesc: *const c_char, flags: c_uint) -> sys::virDomainPtr;
    fn virDomainIsActive(dom: sys::virDomainPtr) -> c_int;
    fn virDomainIsPersistent(dom: sys::virDomainPtr) -> c_int;
    fn virDomainDefineXML(conn: sys::virConnectPtr, xml: *const c_char) -> sys::virDomainPtr;
    fn virDomainCreate(domain: sys::virDomainPtr) -> c_int;
    fn virDomainShutdown(domain: sys::virDomainPtr) -> c_int;
    fn virDomainBlockStats(dom: sys::virDomainPtr, disk: *const c_char, stats: sys::virDomainBlockStatsPtr, size: usize) -> c_int;
    fn virDomainResume(domain: sys::virDomainPtr) -> c_int;
    fn virDomainPMWakeup(domain: sys::virDomainPtr, flags: c_uint) -> c_int;
    fn virDomainAttachDeviceFlags(domain: sys::virDomainPtr, xml: *const c_char, flags: c_uint) -> c_int;
    fn virDomainDetachDeviceFlags(domain: sys::virDomainPtr, xml: *const c_char, flags: c_uint) -> c_int;
    fn virDomainSetAutostart(domain: sys::virDomainPtr, autostart: c_int) -> c_int;
    fn virDomainDestroy(domain: sys::virDomainPtr) -> c_int;
    fn virDomainUndefineFlags(domain: sys::virDomainPtr, flags: c_uint) -> c_int;
    fn virDomainOpenConsole(dom: sys::virDomainPtr, dev_name: *const c_char, st: sys::virStreamPtr, flags: c_uint) -> c_int;
    fn virDomainInterfaceStats(dom: sys::virDomainPtr, device: *const c_char, stats: sys::virDomainInterfaceStatsPtr, size: usize) -> c_int;
    fn virDomainGetDiskErrors(dom: sys::virDomainPtr, errors: sys::virDomainDiskErrorPtr, maxerrors: c_uint, flags: c_uint) -> c_int;
    fn virDomainInterfaceAddresses(dom: sys::virDomainPtr, ifaces: *mut *mut sys::virDomainInterfacePtr, source: c_uint, flags: c_uint) -> c_int;
    fn virDomainInterfaceFree(iface: sys::virDomainInterfacePtr);
    fn virDomainAgentSetResponseTimeout(domain: sys::virDomainPtr, timeout: c_int, flags: c_uint) -> c_int;
}
