/// The version of this vpatch.
package let vpatchVersion = "0.1.0"
