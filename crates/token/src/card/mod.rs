//! The operator identification card (操作者識別カード).
