public let formatVersion = 1
