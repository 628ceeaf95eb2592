//! The 302 neurons of the hermaphrodite and how laboratories spell them.
//!
//! Slot `k` of every homogenised recording and connectome is `NEURONS[k]`. The order is by bytes (`ADAL`, `ADAR`, ...,
//! `VD9`), never by a locale or without case, so slots cannot shift between machines.
//!
//! Names and classes follow Cook et al. 2019 as tabulated in cect 0.3.5; transmitters are the most frequent one of a
//! neuron's outgoing synapses in the same package's neuron tables; soma positions are those of c302 0.12.1 (Virtual
//! Worm), in micrometres: x to the left, y to the tail, z to the dorsal side. Both packages are MIT licensed, (c)
//! OpenWorm.

/// What a neuron does, after Cook et al. 2019.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum CellClass {
    /// Sensory neuron.
    Sensory,
    /// Interneuron.
    Inter,
    /// Motor neuron.
    Motor,
    /// One of the 20 neurons of the pharynx.
    Pharyngeal,
    /// CANL and CANR, of unknown function.
    Unknown,
}

impl CellClass {
    /// Lower-case name.
    pub fn name(self) -> &'static str {
        match self {
            Self::Sensory => "sensory",
            Self::Inter => "inter",
            Self::Motor => "motor",
            Self::Pharyngeal => "pharyngeal",
            Self::Unknown => "unknown",
        }
    }
}

/// One of the 302.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Neuron {
    /// Canonical name.
    pub name: &'static str,
    /// What it does.
    pub class: CellClass,
    /// Main transmitter, empty where unknown.
    pub transmitter: &'static str,
    /// Soma position in micrometres.
    pub position_um: [f32; 3],
}

const fn cell(
    name: &'static str,
    class: CellClass,
    transmitter: &'static str,
    position_um: [f32; 3],
) -> Neuron {
    Neuron { name, class, transmitter, position_um }
}

/// Number of slots.
pub const NEURON_COUNT: usize = 302;

/// The slot of a canonical name, spelled exactly.
pub fn slot(name: &str) -> Option<usize> {
    NEURONS.binary_search_by(|n| n.name.cmp(name)).ok()
}

/// What a name in a file stands for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Reading {
    /// The neuron of this slot.
    Slot(usize),
    /// Empty, `nan`, `none` or `null`: no name was given.
    Blank,
    /// A bare number, which is an index and no name.
    Number,
    /// Marked as uncertain by its author (`AVAL?`, `AVAL/AVAR`).
    Uncertain,
    /// A class without its side or number (`AVA`, `VB`); the members.
    Ambiguous(Vec<&'static str>),
    /// A neuron that only males have.
    Male,
    /// Nothing of the table; canonical names at edit distance 1.
    Unknown(Vec<&'static str>),
}

/// Reads a name as laboratories write it: surrounding blanks are dropped, ASCII letters raised, and zeros that pad a
/// number removed (`VB02` is `VB2`, `VB10` stays). Whatever is not certain gets no slot.
pub fn read_name(raw: &str) -> Reading {
    let trimmed = raw.trim();
    let name = canonical_spelling(trimmed);
    if let Some(k) = slot(&name) {
        return Reading::Slot(k);
    }
    if matches!(name.as_str(), "" | "NAN" | "NONE" | "NULL" | "UNKNOWN" | "-" | "--" | "---" | "N/A" | "NA") {
        return Reading::Blank;
    }
    if trimmed.parse::<f64>().is_ok() {
        return Reading::Number;
    }
    if name.contains(['?', '*', '/', '|', ',', ';', '(', '[', '~']) || name.contains(" OR ") {
        return Reading::Uncertain;
    }
    if MALE_ONLY.binary_search(&name.as_str()).is_ok() {
        return Reading::Male;
    }
    let members: Vec<&'static str> =
        NEURONS.iter().map(|n| n.name).filter(|n| name.len() >= 2 && n.starts_with(&name)).collect();
    if members.len() > 1 {
        return Reading::Ambiguous(members);
    }
    Reading::Unknown(NEURONS.iter().map(|n| n.name).filter(|n| one_edit_apart(&name, n)).collect())
}

/// The first of several candidate names that is not blank, as some files list them.
pub fn first_candidate<'a>(names: impl IntoIterator<Item = &'a str>) -> &'a str {
    names.into_iter().find(|n| read_name(n) != Reading::Blank).unwrap_or("")
}

/// Upper case, and without the zeros between the letters and the number. Only those: removing every zero of a name
/// would turn `VD103` into the neuron `VD13`.
fn canonical_spelling(name: &str) -> String {
    let name = name.to_ascii_uppercase();
    let letters = name.bytes().take_while(u8::is_ascii_uppercase).count();
    let digits = &name[letters..];
    if letters == 0 || digits.is_empty() || !digits.bytes().all(|b| b.is_ascii_digit()) {
        return name;
    }
    format!("{}{}", &name[..letters], digits.trim_start_matches('0'))
}

/// True if one insertion, deletion or substitution turns `a` into `b`.
fn one_edit_apart(a: &str, b: &str) -> bool {
    let (a, b) = (a.as_bytes(), b.as_bytes());
    let head = a.iter().zip(b).take_while(|(x, y)| x == y).count();
    match a.len().abs_diff(b.len()) {
        0 => head < a.len() && a[head + 1..] == b[head + 1..],
        1 if a.len() > b.len() => a[head + 1..] == b[head..],
        1 => a[head..] == b[head + 1..],
        _ => false,
    }
}

/// Neurons of males only, by bytes, without padding zeros.
#[rustfmt::skip]
const MALE_ONLY: [&str; 90] = [
    "CA1", "CA2", "CA3", "CA4", "CA5", "CA6", "CA7", "CA8", "CA9", "CEMDL", "CEMDR", "CEMVL", "CEMVR",
    "CP1", "CP2", "CP3", "CP4", "CP5", "CP6", "CP7", "CP8", "CP9", "DVE", "DVF", "DX1", "DX2", "DX3",
    "EF1", "EF2", "EF3", "HOA", "HOB", "MCML", "MCMR", "PCAL", "PCAR", "PCBL", "PCBR", "PCCL", "PCCR",
    "PDC", "PGA", "PHDL", "PHDR", "PVV", "PVX", "PVY", "PVZ", "R1AL", "R1AR", "R1BL", "R1BR", "R2AL",
    "R2AR", "R2BL", "R2BR", "R3AL", "R3AR", "R3BL", "R3BR", "R4AL", "R4AR", "R4BL", "R4BR", "R5AL",
    "R5AR", "R5BL", "R5BR", "R6AL", "R6AR", "R6BL", "R6BR", "R7AL", "R7AR", "R7BL", "R7BR", "R8AL",
    "R8AR", "R8BL", "R8BR", "R9AL", "R9AR", "R9BL", "R9BR", "SPCL", "SPCR", "SPDL", "SPDR", "SPVL",
    "SPVR",
];

use CellClass::{Inter, Motor, Pharyngeal, Sensory, Unknown};

/// The table, in the order of the slots.
#[rustfmt::skip]
pub const NEURONS: [Neuron; NEURON_COUNT] = [
    cell("ADAL", Inter, "glutamate", [8.65, -239.25, 31.05]),
    cell("ADAR", Inter, "glutamate", [-12.9, -239.25, 31.05]),
    cell("ADEL", Sensory, "dopamine", [11.0, -242.38, 32.45]),
    cell("ADER", Sensory, "dopamine", [-15.3, -242.38, 32.45]),
    cell("ADFL", Sensory, "serotonin", [3.73, -267.9, 41.6]),
    cell("ADFR", Sensory, "serotonin", [-8.0, -267.9, 41.6]),
    cell("ADLL", Sensory, "FMRFamide", [2.7, -265.75, 47.55]),
    cell("ADLR", Sensory, "FMRFamide", [-6.95, -265.75, 47.55]),
    cell("AFDL", Sensory, "glutamate", [4.5, -268.38, 43.5]),
    cell("AFDR", Sensory, "glutamate", [-8.75, -268.38, 43.5]),
    cell("AIAL", Inter, "acetylcholine", [0.8, -264.15, 35.55]),
    cell("AIAR", Inter, "acetylcholine", [-5.1, -264.15, 35.55]),
    cell("AIBL", Inter, "glutamate", [2.7, -266.2, 37.0]),
    cell("AIBR", Inter, "glutamate", [-6.9, -266.2, 37.0]),
    cell("AIML", Inter, "serotonin", [9.25, -253.45, 28.4]),
    cell("AIMR", Inter, "serotonin", [-13.5, -253.45, 28.4]),
    cell("AINL", Inter, "glutamate", [-1.45, -269.54, 39.36]),
    cell("AINR", Inter, "glutamate", [-3.07, -269.54, 39.36]),
    cell("AIYL", Inter, "acetylcholine", [7.45, -252.5, 28.95]),
    cell("AIYR", Inter, "acetylcholine", [-11.7, -252.5, 28.95]),
    cell("AIZL", Inter, "glutamate", [5.6, -258.75, 37.45]),
    cell("AIZR", Inter, "glutamate", [-9.95, -258.75, 37.45]),
    cell("ALA", Inter, "glutamate", [-1.35, -271.0, 50.85]),
    cell("ALML", Sensory, "glutamate", [22.68, -60.75, -37.15]),
    cell("ALMR", Sensory, "glutamate", [-24.15, -60.75, -37.15]),
    cell("ALNL", Sensory, "acetylcholine", [0.33, 406.7, 12.38]),
    cell("ALNR", Sensory, "acetylcholine", [-2.92, 406.7, 12.38]),
    cell("AQR", Sensory, "glutamate", [-14.8, -243.05, 33.95]),
    cell("AS1", Motor, "acetylcholine", [-0.28, -229.04, 4.74]),
    cell("AS10", Motor, "acetylcholine", [-1.9, 278.25, -24.0]),
    cell("AS11", Motor, "acetylcholine", [-1.88, 315.7, -26.12]),
    cell("AS2", Motor, "acetylcholine", [-1.88, -203.88, -12.72]),
    cell("AS3", Motor, "acetylcholine", [-1.9, -151.4, -45.65]),
    cell("AS4", Motor, "acetylcholine", [-1.88, -90.2, -65.38]),
    cell("AS5", Motor, "acetylcholine", [-1.88, -3.75, -52.52]),
    cell("AS6", Motor, "acetylcholine", [-1.9, 28.25, -34.25]),
    cell("AS7", Motor, "acetylcholine", [-1.9, 119.9, 3.95]),
    cell("AS8", Motor, "acetylcholine", [-1.9, 181.85, -1.78]),
    cell("AS9", Motor, "acetylcholine", [-1.88, 228.92, -14.5]),
    cell("ASEL", Sensory, "FMRFamide", [4.12, -263.68, 40.05]),
    cell("ASER", Sensory, "FMRFamide", [-8.38, -263.68, 40.05]),
    cell("ASGL", Sensory, "glutamate", [3.7, -265.35, 45.42]),
    cell("ASGR", Sensory, "glutamate", [-8.0, -265.35, 45.42]),
    cell("ASHL", Sensory, "glutamate", [5.55, -265.62, 41.0]),
    cell("ASHR", Sensory, "glutamate", [-9.8, -265.62, 41.0]),
    cell("ASIL", Sensory, "glutamate", [2.65, -263.7, 46.88]),
    cell("ASIR", Sensory, "glutamate", [-6.9, -263.7, 46.88]),
    cell("ASJL", Sensory, "glutamate", [2.98, -263.0, 37.48]),
    cell("ASJR", Sensory, "glutamate", [-7.25, -263.0, 37.48]),
    cell("ASKL", Sensory, "glutamate", [3.7, -268.02, 46.4]),
    cell("ASKR", Sensory, "glutamate", [-8.0, -268.02, 46.4]),
    cell("AUAL", Inter, "glutamate", [4.5, -263.98, 37.48]),
    cell("AUAR", Inter, "glutamate", [-8.8, -263.98, 37.48]),
    cell("AVAL", Inter, "FMRFamide", [-0.55, -271.5, 37.98]),
    cell("AVAR", Inter, "FMRFamide", [-3.5, -271.5, 37.98]),
    cell("AVBL", Inter, "glutamate", [0.23, -269.79, 37.86]),
    cell("AVBR", Inter, "glutamate", [-4.58, -269.79, 37.86]),
    cell("AVDL", Inter, "glutamate", [-0.17, -268.7, 37.3]),
    cell("AVDR", Inter, "glutamate", [-4.03, -268.68, 37.28]),
    cell("AVEL", Inter, "FMRFamide", [2.75, -269.35, 40.65]),
    cell("AVER", Inter, "FMRFamide", [-8.4, -269.35, 40.65]),
    cell("AVFL", Inter, "glutamate", [2.1, -246.4, 18.6]),
    cell("AVFR", Inter, "glutamate", [-6.5, -246.4, 18.6]),
    cell("AVG", Inter, "glutamate", [-2.0, -237.1, 12.85]),
    cell("AVHL", Inter, "glutamate", [4.15, -264.4, 45.0]),
    cell("AVHR", Inter, "glutamate", [-8.9, -264.4, 45.0]),
    cell("AVJL", Inter, "glutamate", [0.2, -264.9, 47.55]),
    cell("AVJR", Inter, "glutamate", [-4.75, -264.9, 47.55]),
    cell("AVKL", Inter, "FMRFamide", [1.65, -255.0, 22.57]),
    cell("AVKR", Inter, "FMRFamide", [-4.58, -246.95, 19.0]),
    cell("AVL", Inter, "GABA", [-7.5, -263.45, 36.35]),
    cell("AVM", Sensory, "glutamate", [-20.5, -55.65, -44.6]),
    cell("AWAL", Sensory, "serotonin", [3.9, -265.88, 42.75]),
    cell("AWAR", Sensory, "serotonin", [-8.2, -265.88, 42.75]),
    cell("AWBL", Sensory, "glutamate", [5.5, -266.23, 43.1]),
    cell("AWBR", Sensory, "glutamate", [-9.75, -266.23, 43.1]),
    cell("AWCL", Sensory, "glutamate", [3.8, -267.95, 38.95]),
    cell("AWCR", Sensory, "glutamate", [-8.1, -267.95, 38.95]),
    cell("BAGL", Sensory, "glutamate", [4.67, -277.1, 44.98]),
    cell("BAGR", Sensory, "glutamate", [-9.0, -277.1, 44.98]),
    cell("BDUL", Inter, "GABA", [15.35, -187.15, -0.2]),
    cell("BDUR", Inter, "GABA", [-19.65, -187.15, -0.2]),
    cell("CANL", Unknown, "", [25.35, 47.95, 1.65]),
    cell("CANR", Unknown, "", [-27.25, 47.95, 1.65]),
    cell("CEPDL", Sensory, "dopamine", [1.35, -275.03, 54.08]),
    cell("CEPDR", Sensory, "dopamine", [-5.62, -275.03, 54.08]),
    cell("CEPVL", Sensory, "dopamine", [0.7, -277.12, 39.92]),
    cell("CEPVR", Sensory, "dopamine", [-4.95, -277.12, 39.92]),
    cell("DA1", Motor, "acetylcholine", [-0.75, -227.08, 3.42]),
    cell("DA2", Motor, "acetylcholine", [-1.9, -190.75, -21.68]),
    cell("DA3", Motor, "acetylcholine", [-1.65, -123.65, -58.35]),
    cell("DA4", Motor, "acetylcholine", [-1.7, -32.4, -61.75]),
    cell("DA5", Motor, "acetylcholine", [-1.65, 84.2, -3.15]),
    cell("DA6", Motor, "acetylcholine", [-1.65, 198.68, -6.35]),
    cell("DA7", Motor, "acetylcholine", [-1.65, 281.6, -24.95]),
    cell("DA8", Motor, "acetylcholine", [1.27, 376.8, -10.93]),
    cell("DA9", Motor, "acetylcholine", [-4.6, 376.8, -10.93]),
    cell("DB1", Motor, "acetylcholine", [-1.9, -230.35, 6.85]),
    cell("DB2", Motor, "acetylcholine", [-0.2, -244.5, 15.79]),
    cell("DB3", Motor, "acetylcholine", [-1.85, -195.28, -18.52]),
    cell("DB4", Motor, "acetylcholine", [-1.88, -96.28, -64.65]),
    cell("DB5", Motor, "acetylcholine", [-4.05, 35.25, -30.45]),
    cell("DB6", Motor, "acetylcholine", [-1.82, 178.1, -0.2]),
    cell("DB7", Motor, "acetylcholine", [-1.85, 267.75, -22.62]),
    cell("DD1", Motor, "GABA", [-0.9, -231.95, 6.85]),
    cell("DD2", Motor, "GABA", [-1.85, -156.47, -42.85]),
    cell("DD3", Motor, "GABA", [-1.9, -28.6, -60.52]),
    cell("DD4", Motor, "GABA", [-1.88, 122.9, 4.55]),
    cell("DD5", Motor, "GABA", [-1.88, 234.05, -15.78]),
    cell("DD6", Motor, "GABA", [-1.9, 365.77, -16.48]),
    cell("DVA", Sensory, "GABA", [-2.35, 394.6, 3.68]),
    cell("DVB", Inter, "GABA", [-0.75, 394.5, 4.0]),
    cell("DVC", Inter, "GABA", [-0.12, 395.43, 5.99]),
    cell("FLPL", Sensory, "glutamate", [10.88, -246.3, 31.05]),
    cell("FLPR", Sensory, "glutamate", [-15.05, -246.3, 31.05]),
    cell("HSNL", Motor, "serotonin, acetylcholine", [17.45, 61.05, 6.95]),
    cell("HSNR", Motor, "serotonin, acetylcholine", [-21.65, 61.05, 6.95]),
    cell("I1L", Pharyngeal, "acetylcholine", [2.9, -300.35, 53.15]),
    cell("I1R", Pharyngeal, "acetylcholine", [-7.15, -300.35, 53.15]),
    cell("I2L", Pharyngeal, "glutamate", [1.55, -311.65, 54.45]),
    cell("I2R", Pharyngeal, "glutamate", [-5.8, -311.65, 54.45]),
    cell("I3", Pharyngeal, "glutamate", [-2.05, -296.55, 58.25]),
    cell("I4", Pharyngeal, "glutamate", [-2.05, -253.9, 43.1]),
    cell("I5", Pharyngeal, "serotonin, glutamate", [-2.1, -247.85, 30.68]),
    cell("I6", Pharyngeal, "acetylcholine", [1.7, -251.65, 43.05]),
    cell("IL1DL", Sensory, "glutamate", [2.83, -282.76, 52.76]),
    cell("IL1DR", Sensory, "glutamate", [-7.06, -282.76, 52.76]),
    cell("IL1L", Sensory, "glutamate", [3.8, -282.68, 47.85]),
    cell("IL1R", Sensory, "glutamate", [-8.08, -282.68, 47.85]),
    cell("IL1VL", Sensory, "glutamate", [2.25, -279.5, 41.0]),
    cell("IL1VR", Sensory, "glutamate", [-6.55, -279.5, 41.0]),
    cell("IL2DL", Sensory, "serotonin", [7.1, -287.47, 57.13]),
    cell("IL2DR", Sensory, "serotonin", [-11.35, -287.47, 57.13]),
    cell("IL2L", Sensory, "acetylcholine", [6.75, -285.0, 49.35]),
    cell("IL2R", Sensory, "acetylcholine", [-11.0, -285.0, 49.35]),
    cell("IL2VL", Sensory, "serotonin", [3.3, -288.88, 42.95]),
    cell("IL2VR", Sensory, "serotonin", [-7.6, -288.88, 42.95]),
    cell("LUAL", Inter, "glutamate", [1.35, 403.8, 4.1]),
    cell("LUAR", Inter, "glutamate", [-3.85, 403.8, 4.1]),
    cell("M1", Pharyngeal, "", [-0.87, -252.13, 44.42]),
    cell("M2L", Pharyngeal, "acetylcholine", [3.7, -254.35, 38.65]),
    cell("M2R", Pharyngeal, "acetylcholine", [-8.0, -254.35, 38.65]),
    cell("M3L", Pharyngeal, "glutamate", [3.75, -295.4, 48.15]),
    cell("M3R", Pharyngeal, "glutamate", [-8.05, -295.4, 48.15]),
    cell("M4", Pharyngeal, "acetylcholine", [-2.03, -288.93, 57.58]),
    cell("M5", Pharyngeal, "acetylcholine", [-2.2, -241.45, 41.8]),
    cell("MCL", Pharyngeal, "acetylcholine", [3.2, -296.15, 52.3]),
    cell("MCR", Pharyngeal, "acetylcholine", [-7.25, -296.15, 52.3]),
    cell("MI", Pharyngeal, "", [-2.15, -293.51, 56.71]),
    cell("NSML", Pharyngeal, "serotonin, glutamate", [2.6, -292.25, 51.8]),
    cell("NSMR", Pharyngeal, "serotonin, glutamate", [-6.35, -292.25, 51.8]),
    cell("OLLL", Sensory, "glutamate", [4.4, -283.9, 50.02]),
    cell("OLLR", Sensory, "glutamate", [-8.65, -283.9, 50.02]),
    cell("OLQDL", Sensory, "glutamate", [2.77, -280.0, 53.43]),
    cell("OLQDR", Sensory, "glutamate", [-7.02, -280.0, 53.43]),
    cell("OLQVL", Sensory, "glutamate", [4.2, -279.25, 43.92]),
    cell("OLQVR", Sensory, "glutamate", [-8.47, -279.25, 43.92]),
    cell("PDA", Motor, "serotonin", [-2.95, 387.25, -5.5]),
    cell("PDB", Motor, "FMRFamide", [-3.3, 384.65, -7.75]),
    cell("PDEL", Sensory, "dopamine", [25.75, 143.8, 25.6]),
    cell("PDER", Sensory, "dopamine", [-27.35, 143.8, 25.6]),
    cell("PHAL", Sensory, "glutamate", [1.2, 402.9, 4.1]),
    cell("PHAR", Sensory, "glutamate", [-3.8, 402.9, 4.1]),
    cell("PHBL", Sensory, "serotonin", [1.2, 405.6, 5.47]),
    cell("PHBR", Sensory, "serotonin", [-3.73, 405.6, 5.47]),
    cell("PHCL", Sensory, "glutamate", [0.75, 408.77, 7.28]),
    cell("PHCR", Sensory, "glutamate", [-3.42, 408.77, 7.28]),
    cell("PLML", Sensory, "glutamate", [2.5, 410.15, 8.18]),
    cell("PLMR", Sensory, "glutamate", [-3.67, 410.15, 8.18]),
    cell("PLNL", Sensory, "acetylcholine", [4.22, 402.3, 6.9]),
    cell("PLNR", Sensory, "acetylcholine", [-6.22, 402.3, 6.9]),
    cell("PQR", Sensory, "glutamate", [-0.33, 407.3, 7.65]),
    cell("PVCL", Inter, "glutamate", [0.85, 404.15, 5.5]),
    cell("PVCR", Inter, "glutamate", [-3.45, 404.15, 5.5]),
    cell("PVDL", Sensory, "glutamate", [24.75, 175.15, 24.95]),
    cell("PVDR", Sensory, "glutamate", [-26.11, 175.15, 24.95]),
    cell("PVM", Sensory, "glutamate", [24.85, 188.8, 20.55]),
    cell("PVNL", Inter, "glutamate", [0.55, 410.0, 8.9]),
    cell("PVNR", Inter, "glutamate", [-3.25, 409.95, 8.9]),
    cell("PVPL", Inter, "glutamate", [-0.1, 366.65, -14.7]),
    cell("PVPR", Inter, "glutamate", [-0.15, 356.55, -16.65]),
    cell("PVQL", Inter, "glutamate", [0.85, 402.4, 5.15]),
    cell("PVQR", Inter, "glutamate", [-3.3, 402.4, 5.15]),
    cell("PVR", Inter, "glutamate", [-1.85, 407.35, 7.7]),
    cell("PVT", Inter, "glutamate", [-0.1, 358.75, -17.5]),
    cell("PVWL", Inter, "serotonin", [0.8, 405.4, 6.8]),
    cell("PVWR", Inter, "serotonin", [-3.4, 405.4, 6.8]),
    cell("RIAL", Inter, "GABA", [4.0, -270.25, 45.0]),
    cell("RIAR", Inter, "GABA", [-8.2, -270.25, 45.0]),
    cell("RIBL", Inter, "glutamate", [5.5, -264.35, 38.0]),
    cell("RIBR", Inter, "glutamate", [-9.8, -264.35, 38.0]),
    cell("RICL", Inter, "octopamine", [-0.74, -267.06, 38.09]),
    cell("RICR", Inter, "octopamine", [-3.56, -267.06, 38.09]),
    cell("RID", Inter, "GABA", [-1.23, -272.35, 54.94]),
    cell("RIFL", Inter, "glutamate", [0.0, -239.85, 18.35]),
    cell("RIFR", Inter, "glutamate", [-5.15, -245.5, 23.9]),
    cell("RIGL", Inter, "FMRFamide", [0.0, -233.25, 16.35]),
    cell("RIGR", Inter, "FMRFamide", [-4.7, -241.95, 20.65]),
    cell("RIH", Inter, "serotonin", [-2.0, -267.35, 35.95]),
    cell("RIML", Inter, "acetylcholine, tyramine", [3.5, -260.9, 39.0]),
    cell("RIMR", Inter, "acetylcholine, tyramine", [-7.75, -260.9, 39.0]),
    cell("RIPL", Inter, "serotonin", [3.38, -278.57, 48.82]),
    cell("RIPR", Inter, "serotonin", [-7.62, -278.57, 48.82]),
    cell("RIR", Inter, "serotonin", [-11.6, -265.9, 36.65]),
    cell("RIS", Inter, "GABA", [-4.83, -262.16, 33.64]),
    cell("RIVL", Motor, "GABA", [4.5, -265.3, 50.35]),
    cell("RIVR", Motor, "GABA", [-8.75, -265.3, 50.35]),
    cell("RMDDL", Motor, "acetylcholine", [3.6, -269.07, 37.65]),
    cell("RMDDR", Motor, "acetylcholine", [-7.75, -269.07, 37.65]),
    cell("RMDL", Motor, "acetylcholine", [3.1, -271.0, 41.2]),
    cell("RMDR", Motor, "acetylcholine", [-7.4, -271.0, 41.2]),
    cell("RMDVL", Motor, "acetylcholine", [4.85, -271.2, 44.4]),
    cell("RMDVR", Motor, "acetylcholine", [-9.05, -271.2, 44.4]),
    cell("RMED", Motor, "GABA", [-1.5, -275.75, 58.5]),
    cell("RMEL", Motor, "GABA", [4.65, -274.4, 46.99]),
    cell("RMER", Motor, "GABA", [-8.9, -274.4, 46.99]),
    cell("RMEV", Motor, "GABA", [-2.03, -272.97, 35.67]),
    cell("RMFL", Inter, "glutamate", [1.1, -265.05, 34.1]),
    cell("RMFR", Inter, "glutamate", [-5.4, -265.05, 34.1]),
    cell("RMGL", Inter, "FMRFamide", [8.25, -238.3, 32.7]),
    cell("RMGR", Inter, "FMRFamide", [-12.5, -238.3, 32.7]),
    cell("RMHL", Motor, "glutamate", [1.1, -265.9, 35.7]),
    cell("RMHR", Motor, "glutamate", [-5.3, -265.9, 35.7]),
    cell("SAADL", Inter, "acetylcholine", [-4.69, -270.17, 42.13]),
    cell("SAADR", Inter, "acetylcholine", [0.53, -270.17, 42.13]),
    cell("SAAVL", Inter, "acetylcholine", [3.9, -270.9, 45.42]),
    cell("SAAVR", Inter, "acetylcholine", [-8.18, -270.9, 45.42]),
    cell("SABD", Motor, "acetylcholine", [-3.2, -234.8, 14.93]),
    cell("SABVL", Motor, "", [3.33, -249.25, 24.35]),
    cell("SABVR", Motor, "", [-8.1, -249.25, 24.35]),
    cell("SDQL", Sensory, "acetylcholine", [21.4, 222.8, 19.2]),
    cell("SDQR", Sensory, "acetylcholine", [-14.2, -131.75, -10.55]),
    cell("SIADL", Motor, "", [-3.96, -267.66, 43.97]),
    cell("SIADR", Motor, "", [-0.38, -269.2, 43.65]),
    cell("SIAVL", Motor, "", [5.95, -259.8, 32.25]),
    cell("SIAVR", Motor, "", [-10.2, -259.8, 32.25]),
    cell("SIBDL", Motor, "", [-5.27, -269.13, 45.8]),
    cell("SIBDR", Motor, "", [0.97, -269.13, 45.8]),
    cell("SIBVL", Motor, "", [-2.67, -269.87, 35.41]),
    cell("SIBVR", Motor, "", [-2.77, -269.87, 35.41]),
    cell("SMBDL", Motor, "acetylcholine", [3.1, -264.3, 33.1]),
    cell("SMBDR", Motor, "acetylcholine", [-7.0, -264.3, 33.1]),
    cell("SMBVL", Motor, "acetylcholine", [0.42, -263.45, 33.05]),
    cell("SMBVR", Motor, "acetylcholine", [-4.6, -263.45, 33.05]),
    cell("SMDDL", Motor, "acetylcholine", [3.25, -266.25, 34.1]),
    cell("SMDDR", Motor, "acetylcholine", [-7.45, -266.25, 34.1]),
    cell("SMDVL", Motor, "acetylcholine", [4.7, -270.95, 46.65]),
    cell("SMDVR", Motor, "acetylcholine", [-8.9, -270.95, 46.65]),
    cell("URADL", Motor, "acetylcholine", [5.0, -284.65, 52.2]),
    cell("URADR", Motor, "acetylcholine", [-9.3, -284.65, 52.2]),
    cell("URAVL", Motor, "acetylcholine", [0.33, -279.6, 41.4]),
    cell("URAVR", Motor, "acetylcholine", [-4.58, -279.6, 41.4]),
    cell("URBL", Inter, "acetylcholine", [5.05, -279.95, 47.55]),
    cell("URBR", Inter, "acetylcholine", [-9.32, -279.95, 47.55]),
    cell("URXL", Sensory, "glutamate", [3.05, -269.88, 48.27]),
    cell("URXR", Sensory, "glutamate", [-7.35, -269.88, 48.27]),
    cell("URYDL", Sensory, "glutamate", [4.12, -281.43, 51.9]),
    cell("URYDR", Sensory, "glutamate", [-8.4, -281.43, 51.9]),
    cell("URYVL", Sensory, "glutamate", [3.4, -280.93, 45.35]),
    cell("URYVR", Sensory, "glutamate", [-7.7, -280.93, 45.35]),
    cell("VA1", Motor, "acetylcholine", [-1.35, -235.55, 11.75]),
    cell("VA10", Motor, "acetylcholine", [-1.85, 254.63, -21.25]),
    cell("VA11", Motor, "acetylcholine", [-1.55, 312.35, -26.25]),
    cell("VA12", Motor, "acetylcholine", [-0.1, 362.45, -18.15]),
    cell("VA2", Motor, "acetylcholine", [-1.85, -217.1, -3.95]),
    cell("VA3", Motor, "acetylcholine", [-1.48, -184.1, -26.37]),
    cell("VA4", Motor, "acetylcholine", [-1.85, -119.5, -58.7]),
    cell("VA5", Motor, "acetylcholine", [-1.85, -54.3, -66.05]),
    cell("VA6", Motor, "acetylcholine", [-1.85, 21.55, -41.15]),
    cell("VA7", Motor, "acetylcholine", [-1.85, 98.05, 1.18]),
    cell("VA8", Motor, "acetylcholine", [-1.8, 150.3, 3.4]),
    cell("VA9", Motor, "acetylcholine", [-1.8, 208.82, -9.05]),
    cell("VB1", Motor, "acetylcholine", [-1.55, -246.45, 16.4]),
    cell("VB10", Motor, "acetylcholine", [-1.85, 218.07, -11.4]),
    cell("VB11", Motor, "acetylcholine", [-1.82, 262.32, -21.95]),
    cell("VB2", Motor, "acetylcholine", [-2.0, -253.3, 19.85]),
    cell("VB3", Motor, "acetylcholine", [-1.85, -210.22, -8.72]),
    cell("VB4", Motor, "acetylcholine", [-2.0, -173.25, -33.5]),
    cell("VB5", Motor, "acetylcholine", [-1.85, -109.55, -62.15]),
    cell("VB6", Motor, "acetylcholine", [-1.85, -36.58, -62.7]),
    cell("VB7", Motor, "acetylcholine", [-9.68, 41.45, -24.36]),
    cell("VB8", Motor, "acetylcholine", [-1.82, 108.8, 2.88]),
    cell("VB9", Motor, "acetylcholine", [-1.85, 159.55, 3.2]),
    cell("VC1", Motor, "serotonin, acetylcholine", [-0.72, -170.03, -35.75]),
    cell("VC2", Motor, "serotonin, acetylcholine", [-0.62, -105.33, -63.4]),
    cell("VC3", Motor, "serotonin, acetylcholine", [-1.45, -6.45, -54.0]),
    cell("VC4", Motor, "serotonin, acetylcholine", [-1.15, 43.85, -24.2]),
    cell("VC5", Motor, "serotonin, acetylcholine", [-1.15, 66.55, -12.5]),
    cell("VC6", Motor, "serotonin, acetylcholine", [-1.82, 174.18, 1.0]),
    cell("VD1", Motor, "GABA", [-0.7, -228.6, 4.05]),
    cell("VD10", Motor, "GABA", [-0.75, 236.1, -16.5]),
    cell("VD11", Motor, "GABA", [-0.8, 283.8, -24.8]),
    cell("VD12", Motor, "GABA", [-0.75, 345.5, -23.15]),
    cell("VD13", Motor, "GABA", [-0.75, 379.85, -10.75]),
    cell("VD2", Motor, "GABA", [-0.65, -226.05, 2.35]),
    cell("VD3", Motor, "GABA", [-0.8, -188.1, -23.45]),
    cell("VD4", Motor, "GABA", [-0.8, -137.2, -52.7]),
    cell("VD5", Motor, "GABA", [-0.75, -68.3, -66.75]),
    cell("VD6", Motor, "GABA", [-0.7, -1.4, -52.15]),
    cell("VD7", Motor, "GABA", [-12.35, 57.95, -14.2]),
    cell("VD8", Motor, "GABA", [-0.75, 135.1, 3.95]),
    cell("VD9", Motor, "GABA", [-0.8, 191.5, -3.8]),
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_table_is_the_hermaphrodite_in_byte_order() {
        assert!(NEURONS.windows(2).all(|w| w[0].name.as_bytes() < w[1].name.as_bytes()));
        let pharyngeal = NEURONS.iter().filter(|n| n.class == Pharyngeal).count();
        assert_eq!((NEURONS.len(), pharyngeal), (302, 20));
        assert_eq!((NEURONS[0].name, NEURONS[1].name, NEURONS[2].name), ("ADAL", "ADAR", "ADEL"));
        // By bytes VD13 comes before VD2; the last slot is VD9.
        assert_eq!((slot("VD13"), NEURONS[301].name), (Some(293), "VD9"));
        assert!(MALE_ONLY.windows(2).all(|w| w[0] < w[1]) && MALE_ONLY.iter().all(|m| slot(m).is_none()));
    }

    #[test]
    fn every_spelling_finds_its_slot_and_no_other() {
        for (k, n) in NEURONS.iter().enumerate() {
            let letters = n.name.bytes().take_while(u8::is_ascii_uppercase).count();
            let padded = match n.name[letters..].parse::<u8>() {
                Ok(number) => format!("{}{number:02}", &n.name[..letters]),
                Err(_) => n.name.to_string(),
            };
            for spelling in [n.name.to_string(), padded, n.name.to_lowercase(), format!(" {} ", n.name)] {
                assert_eq!(read_name(&spelling), Reading::Slot(k), "{spelling}");
            }
        }
    }

    #[test]
    fn traps() {
        let found = |name: &str| match read_name(name) {
            Reading::Slot(k) => Some(NEURONS[k].name),
            _ => None,
        };
        assert_eq!(
            (found("VB02"), found("DA01"), found("VB10"), found("vb010")),
            (Some("VB2"), Some("DA1"), Some("VB10"), Some("VB10"))
        );
        // Removing all zeros, or rounding to the nearest name, would invent neurons.
        for name in [
            "VD103",
            "VB20",
            "AVA",
            "AVAL?",
            "AVAL/AVAR",
            "17",
            "17.0",
            "",
            "nan",
            "CEMDL",
            "ÀVAL",
            "AVAL1",
            "VB",
        ] {
            assert_eq!(found(name), None, "{name}");
        }
        assert_eq!(read_name("AVA"), Reading::Ambiguous(vec!["AVAL", "AVAR"]));
        assert_eq!(read_name("AVAL?"), Reading::Uncertain);
        assert_eq!(read_name("0"), Reading::Number);
        assert_eq!(read_name("CA01"), Reading::Male);
        assert_eq!(read_name("PVQX"), Reading::Unknown(vec!["PVQL", "PVQR"]));
        assert_eq!(first_candidate(["", "NaN", "RIML", "RIMR"]), "RIML");
    }
}
