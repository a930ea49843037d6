//! Places on the earth.

use cocli_core::{Entity, Field, Kind};

/// Of a sphere of the volume of the earth.
const EARTH_KM: f64 = 6371.0;

/// A point, and how far around it counts.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Place {
    /// Degrees north.
    pub latitude: f64,
    /// Degrees east.
    pub longitude: f64,
    /// Kilometres.
    pub within: f64,
}

impl Place {
    /// `LAT,LON` in degrees.
    #[must_use]
    pub fn read(text: &str, within: f64) -> Option<Self> {
        let (latitude, longitude) = text.split_once(',')?;
        let degrees = |text: &str, most: f64| {
            text.trim().parse().ok().filter(|degrees| (-most..=most).contains(degrees))
        };
        let (latitude, longitude) = (degrees(latitude, 90.0)?, degrees(longitude, 180.0)?);
        Some(Self { latitude, longitude, within })
    }

    /// How far something is, in kilometres, if it is said where it is and that counts.
    pub(super) fn distance(&self, kind: Option<Kind>, entity: &Entity) -> Option<f64> {
        let degrees = |field: &str| {
            let value = entity.value(kind, &Field::read(field).ok()?)?;
            value.shown().trim().parse::<f64>().ok().filter(|degrees| degrees.is_finite())
        };
        let away = self.kilometres(degrees("latitude")?, degrees("longitude")?);
        (away <= self.within).then_some(away)
    }

    /// Along a great circle, by the haversine formula.
    fn kilometres(&self, latitude: f64, longitude: f64) -> f64 {
        let half = |a: f64, b: f64| ((a - b).to_radians() / 2.0).sin().powi(2);
        let cosines = self.latitude.to_radians().cos() * latitude.to_radians().cos();
        let between = half(latitude, self.latitude) + cosines * half(longitude, self.longitude);
        2.0 * EARTH_KM * between.min(1.0).sqrt().asin()
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test may fail by panic")]

    use super::*;

    #[test]
    fn distances_are_those_of_a_globe() {
        let berlin = Place::read("52.52, 13.405", 1.0).unwrap();
        // Munich is 504 km away by the same formula elsewhere; Fiji lies on both sides of 180 degrees.
        assert!((berlin.kilometres(48.1372, 11.5755) - 504.4).abs() < 1.0);
        let fiji = Place::read("-17,179.9", 1.0).unwrap();
        assert!((fiji.kilometres(-17.0, -179.9) - 21.3).abs() < 0.1);
        assert_eq!(berlin.kilometres(52.52, 13.405), 0.0);
    }

    #[test]
    fn what_is_no_place_is_none() {
        for text in ["", "52", "91,0", "0,181", "a,b", "nan,0", "1,2,3"] {
            assert_eq!(Place::read(text, 1.0), None, "{text}");
        }
    }
}
