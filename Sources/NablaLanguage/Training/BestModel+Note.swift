import NablaFormats
import NablaTraining

extension BestModel {
  /// Which model is used, where it is not the run's last.
  package var note: String? {
    guard isEarlier else { return nil }
    return "the model of step \(step) is used, whose validation loss is the lowest, \(significant(value, digits: 4)); "
      + "that of step \(lastStep) is \(significant(lastValue, digits: 4))"
  }
}
