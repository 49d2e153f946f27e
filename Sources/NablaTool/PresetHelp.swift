import ArgumentParser
import Nabla

/// Help for a flag whose default is the preset's: "Blocks (default: 4; gpt2 12, original 3)." The values are read from
/// the presets, so that they are always true.
func help<Value>(_ text: String, _ valueName: String, _ field: (Preset) -> Value) -> ArgumentHelp {
  let values = Preset.all.map { (name: $0.name, value: "\(field($0))") }
  let others = values.filter { $0.value != values[0].value }.map { "; \($0.name) \($0.value)" }.joined()
  return ArgumentHelp("\(text) (default: \(values[0].value)\(others)).", valueName: valueName)
}
