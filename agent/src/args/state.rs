//! The parameter `state` of the modules that know only two states.

crate::choices! {
    /// Whether what a module manages shall be there.
    pub enum State {
        /// It shall not.
        Absent = "absent",
        /// It shall.
        Present = "present",
    }
}
