import CSQLite
import GRDB
import Measure
import PatchFormat
