import NablaFormats
import NablaTraining

/// Completions with their rewards, to look at.
func rolloutSample(_ rollouts: [Rollout], _ prompts: PromptSet) -> RunSample {
  var text = ""
  var last: Int?
  for rollout in rollouts {
    if rollout.prompt != last { text += "\(text.isEmpty ? "" : "\n")== prompt\n\(prompts[rollout.prompt].text)\n" }
    last = rollout.prompt
    let cut = rollout.isTruncated ? ", cut off" : ""
    text +=
      "-- reward \(significant(Double(rollout.reward), digits: 3)), \(plural(rollout.tokens.count, "token"))\(cut)\n"
    text += "\(rollout.text)\n"
  }
  return RunSample(text: text)
}
