//! The paths of the generated bindings that the SDK's own files name.

pub(crate) mod destination {
    pub(crate) mod exports {
        pub(crate) mod longshore {
            pub(crate) mod transport {
                pub(crate) mod destination {
                    pub(crate) use longshore_guest::Traits;
                }
            }
        }
    }
}

pub(crate) mod reference {
    pub(crate) mod exports {
        pub(crate) mod longshore {
            pub(crate) mod transport {
                pub(crate) mod reference {
                    pub(crate) use longshore_guest::{Identity, Purpose};
                }
            }
        }
    }
}

pub(crate) mod transport {
    pub(crate) mod longshore {
        pub(crate) mod transport {
            pub(crate) mod bytes {
                pub(crate) use crate::file::{Reader, Writer};
            }
            pub(crate) mod session {
                pub(crate) use crate::session::{Plan, Session};
            }
            pub(crate) mod storage {
                pub(crate) use crate::file::{File, FileRange};
            }
            pub(crate) mod types {
                pub(crate) use longshore_guest::{BlobInfo, Error, Manifest};
            }
        }
    }
}
