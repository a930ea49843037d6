//! Which hosts tell one company from another.

/// Providers of addresses and of sites: whoever has an address at one of these, or the bare host, is nobody yet.
/// What stands before them, as `acme.wordpress.com`, is somebody's own.
#[rustfmt::skip]
const PROVIDERS: &[&str] = &[
    "126.com", "139.com", "163.com", "189.cn", "1und1.de", "aim.com", "alice.it", "aliyun.com", "ameritech.net",
    "aol.com", "aon.at", "arcor.de", "att.net", "bbox.fr", "bell.net", "bellsouth.net", "bigpond.com",
    "bigpond.net.au", "bk.ru", "blogspot.com", "bluewin.ch", "blueyonder.co.uk", "bol.com.br", "bredband.net",
    "btinternet.com", "business.site", "centrum.cz", "centurylink.net", "centurytel.net", "charter.net", "chello.at",
    "comcast.net", "comhem.se", "cox.net", "daum.net", "docomo.ne.jp", "duck.com", "earthlink.net", "elisanet.fi",
    "email.com", "email.de", "embarqmail.com", "ezweb.ne.jp", "fastmail.com", "fastmail.fm", "fastmail.net",
    "flash.net", "foxmail.com", "free.fr", "freenet.de", "frontier.com", "frontiernet.net", "gmail.co.uk",
    "gmail.com", "gmx.at", "gmx.ch", "gmx.com", "gmx.de", "gmx.eu", "gmx.net", "googlemail.com", "hanmail.net",
    "hetnet.nl", "hey.com", "hispeed.ch", "home.nl", "hotmail.be", "hotmail.ca", "hotmail.co.uk", "hotmail.com",
    "hotmail.de", "hotmail.es", "hotmail.fr", "hotmail.it", "hotmail.nl", "hushmail.com", "icloud.com", "ig.com.br",
    "iinet.net.au", "inbox.com", "inbox.ru", "interia.pl", "juno.com", "kabelmail.de", "kpnmail.nl", "laposte.net",
    "libero.it", "list.ru", "live.ca", "live.co.uk", "live.com", "live.com.au", "live.de", "live.fr", "live.nl",
    "mac.com", "mail.com", "mail.de", "mail.ru", "mailbox.org", "me.com", "mindspring.com", "msn.com", "myyahoo.com",
    "nate.com", "naver.com", "netzero.com", "netzero.net", "neuf.fr", "ntlworld.com", "nvbell.net", "o2.pl",
    "onet.pl", "online.de", "online.no", "op.pl", "optimum.net", "optonline.net", "optusnet.com.au", "orange.fr",
    "outlook.com", "outlook.com.br", "outlook.de", "outlook.es", "outlook.fr", "outlook.it", "pacbell.net",
    "passport.com", "planet.nl", "pm.me", "posteo.de", "prodigy.net", "proton.me", "protonmail.com", "proximus.be",
    "ptd.net", "q.com", "qq.com", "rambler.ru", "rediffmail.com", "roadrunner.com", "rocketmail.com", "rogers.com",
    "rr.com", "sbcglobal.net", "seznam.cz", "sfr.fr", "shaw.ca", "sina.cn", "sina.com", "sky.com", "skynet.be",
    "snet.net", "softbank.ne.jp", "sohu.com", "spectrum.net", "suddenlink.net", "swbell.net", "sympatico.ca",
    "t-online.de", "talktalk.net", "telefonica.net", "telenet.be", "telia.com", "telus.net", "terra.com.br", "tin.it",
    "tiscali.co.uk", "tiscali.it", "tpg.com.au", "tuta.com", "tutanota.com", "tutanota.de", "ukr.net", "uol.com.br",
    "usa.net", "verizon.net", "videotron.ca", "virgilio.it", "virgin.net", "virginmedia.com", "vodafone.de",
    "wanadoo.fr", "web.de", "windowslive.com", "windstream.net", "wixsite.com", "wordpress.com", "wp.pl", "xs4all.nl",
    "xtra.co.nz", "ya.ru", "yahoo.ca", "yahoo.co.id", "yahoo.co.in", "yahoo.co.jp", "yahoo.co.uk", "yahoo.com",
    "yahoo.com.au", "yahoo.com.br", "yahoo.com.hk", "yahoo.com.mx", "yahoo.com.ph", "yahoo.com.sg", "yahoo.com.tw",
    "yahoo.de", "yahoo.es", "yahoo.fr", "yahoo.ie", "yahoo.it", "yandex.com", "yandex.ru", "yeah.net", "ymail.com",
    "ziggo.nl", "zoho.com", "zoho.eu", "zohomail.com",
];

/// Hosts, with all below them, on which many have a page each.
#[rustfmt::skip]
const PAGES: &[&str] = &[
    "amazon.com", "angi.com", "bbb.org", "beacons.ai", "bio.link", "bit.ly", "booking.com", "campsite.bio",
    "doordash.com", "ebay.com", "etsy.com", "facebook.com", "fb.com", "fb.me", "fb.watch", "foursquare.com", "g.co",
    "g.page", "goo.gl", "google.com", "grubhub.com", "homeadvisor.com", "houzz.com", "instagram.com", "line.me",
    "linkedin.com", "linktr.ee", "lnkd.in", "mapquest.com", "medium.com", "messenger.com", "nextdoor.com",
    "opentable.com", "pinterest.com", "reddit.com", "snapchat.com", "t.co", "t.me", "taplink.cc", "telegram.me",
    "threads.net", "thumbtack.com", "tiktok.com", "tinyurl.com", "tripadvisor.com", "twitter.com", "ubereats.com",
    "vk.com", "wa.me", "weibo.com", "whatsapp.com", "x.com", "yellowpages.com", "yelp.com", "youtu.be", "youtube.com",
];

/// A domain, unless many have addresses or pages there.
pub(super) fn telling(domain: &str) -> Option<&str> {
    let page = |host: &str| {
        domain.strip_suffix(host).is_some_and(|rest| rest.is_empty() || rest.ends_with('.'))
    };
    let tells = !PROVIDERS.contains(&domain) && !PAGES.iter().any(|host| page(host));
    tells.then_some(domain)
}

/// The host of an address of a page, without `www.`; nothing where it is none.
pub(super) fn host(site: &str) -> Option<String> {
    let site = site.trim().to_lowercase();
    let host = site.split("://").last().unwrap_or_default();
    let host = host.split(['/', '?', '#', ':']).next().unwrap_or_default();
    let host = host.strip_prefix("www.").unwrap_or(host).trim_end_matches('.');
    let fits = host.contains('.') && !host.contains(|c: char| c.is_whitespace() || c == '@');
    fits.then(|| host.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hosts_of_many_tell_nobody_and_what_stands_before_a_host_of_sites_does() {
        for domain in
            ["facebook.com", "m.facebook.com", "fb.com", "maps.app.goo.gl", "att.net", "wa.me"]
        {
            assert_eq!(telling(domain), None, "{domain}");
        }
        for domain in ["acme.com", "acme.wordpress.com", "myfacebook.com", "xfb.com", "box.com"] {
            assert_eq!(telling(domain), Some(domain));
        }
        assert_eq!(host("https://www.Acme.com:80/x?y").as_deref(), Some("acme.com"));
        assert_eq!(host("n/a"), None);
    }
}
