import Foundation
import Nabla
import Testing

extension ToolTests {
  /// `nabla rl`.
  @Suite struct ReinforcementLearning {
    /// A training of a fraction of a second.
    static let small = [
      "rl", "train", "--environment", "CartPole-v1", "--environments", "4", "--rollout-steps", "64", "--total-steps",
      "4096", "--minibatch-size", "128", "--epochs", "4", "--learning-rate", "1e-3",
    ]

    @Test func flagsOverrideTheConfiguration() throws {
      try withFolder { folder in
        let yaml = """
          environment: CartPole-v1
          algorithm: [ppo, a2c]
          environments: 16
          rollout_steps: 16
          total-steps: 512
          learning-rate: 2e-3
          hidden-widths: 8,8
          normalize-observations: true
          anneal-learning-rate: false
          json: false
          """
        try write(Array(yaml.utf8), to: folder + "/rl.yaml")
        func train(_ flags: [String], _ run: String) throws -> String {
          let result = try Tool.run(
            ["rl", "train", "--config", folder + "/rl.yaml", "--output", folder + "/" + run] + flags)
          try #require(result.status == 0, "\(result.summary)")
          return folder + "/" + run
        }
        let one = try RunFolder.open(
          train(["--algorithm", "ppo", "--total-steps=256", "--hidden-widths", "16"], "one"))
        let setup = try one.configuration(as: PolicySetup.self)
        let settings = try #require(setup.settings as? PPOConfiguration)
        #expect(settings.totalSteps == 256 && settings.hiddenWidths == [16] && settings.environmentCount == 16)
        #expect(settings.rolloutSteps == 16 && settings.learningRate == 2e-3)
        #expect(settings.normalizesObservations && !settings.annealsLearningRate)
        #expect(PolicyStudy.isStudy(try train([], "both")), "two algorithms")
      }
    }

    @Test func trainsEvaluatesAndReports() throws {
      try withFolder { folder in
        let run = folder + "/run"
        let result = try Tool.run(Self.small + ["--output", run, "--json"])
        try #require(result.status == 0, "\(result.summary)")
        #expect(result.errors.isEmpty)
        let lines = try result.output.split(separator: "\n").map { try JSONValue(parsing: Array($0.utf8)) }
        let updates = lines.filter { $0["total"] != nil }
        #expect(updates.count == 16 && updates.last?["step"]?.integer == 4096)
        for name in ["charts/episodic_return", "charts/SPS", "losses/approx_kl", "losses/clipfrac"] {
          #expect(updates.last?[name]?.double != nil, "\(name)")
        }
        let records = try MetricsRecord.readAll(folder: run)
        #expect(records.map(\.step) == (1...16).map { $0 * 256 })
        for name in [
          "charts/episodic_return", "charts/SPS", "charts/learning_rate", "losses/policy_loss", "losses/value_loss",
          "losses/entropy", "losses/approx_kl", "losses/clipfrac", "losses/explained_variance",
        ] { #expect(records.last?[name]?.isFinite == true, "\(name)") }
        #expect(records.last!["charts/episodic_return"]! > 22, "an untrained policy holds the pole for about 22 steps")

        let evaluated = try Tool.run(["rl", "evaluate", run, "--episodes", "7", "--json"])
        let object = try JSONValue(parsing: Array(evaluated.output.utf8))
        #expect(object["returns"]?.array?.count == 7 && object["environment"]?.string == "CartPole-v1")
        #expect(try Tool.run(["rl", "evaluate", run, "--episodes", "7", "--json"]).output == evaluated.output)

        let page = try readText(run + "/report.html")
        for part in ["id=\"objective\"", "id=\"policy\"", "id=\"replay\"", "Explained variance", "Clip fraction"] {
          #expect(page.contains(part), "\(part)")
        }
      }
    }

    @Test func stoppedAndResumedIsTheSame() throws {
      try withFolder { folder in
        let flags = Self.small + ["--normalize-observations", "--normalize-rewards"]
        let whole = try Tool.run(flags + ["--output", folder + "/whole"])
        try #require(whole.status == 0, "\(whole.summary)")
        let stopped = try Tool.run(flags + ["--output", folder + "/run", "--stop-after", "1500"])
        #expect(stopped.errors.contains("rl train --resume \(folder)/run"), "\(stopped.summary)")
        let resumed = try Tool.run(["rl", "train", "--resume", folder + "/run", "--threads", "2"])
        #expect(resumed.status == 0 && resumed.errors.contains("after step 1536 of 4096"), "\(resumed.summary)")
        #expect(try finalTensors(folder + "/run") == finalTensors(folder + "/whole"))
        #expect(try curve(folder + "/run") == curve(folder + "/whole"))
      }
    }

    @Test func signalSavesAndResumes() throws {
      try withFolder { folder in
        let run = folder + "/run"
        let child = try Tool.start(Self.small + ["--output", run, "--total-steps", "100000000"])
        try child.wait { _ in (try? MetricsRecord.readAll(folder: run))?.isEmpty == false }
        child.signal(SIGINT)
        let result = try child.finish()
        #expect(result.status == 0 && result.errors.contains("--resume \(run)"), "\(result.summary)")
        let saved = try #require(try CheckpointStore.newestValid(in: run + "/checkpoints").checkpoint)
        let resumed = try Tool.run(["rl", "train", "--resume", run, "--stop-after", "\(saved.step + 1)"])
        #expect(resumed.status == 0, "\(resumed.summary)")
        #expect(try MetricsRecord.readAll(folder: run).last?.step == saved.step + 256)
      }
    }

    @Test func seedsAreComparedAndGoOn() throws {
      try withFolder { folder in
        let run = folder + "/run"
        let result = try Tool.run(Self.small + ["--output", run, "--seeds", "3", "--seed", "5"])
        try #require(result.status == 0, "\(result.summary)")
        #expect(result.errors.contains("ppo: mean return") && result.errors.contains("3 seeds"), "\(result.summary)")
        let page = try readText(run + "/report.html")
        #expect(page.contains("id=\"chart-seeds\"") && page.contains("95 % interval"))
        // With links to its members, its settings, and the panels of the seed that is chosen.
        for part in [
          "<a href=\"./ppo-seed-6/report.html\">", "<caption>ppo</caption>", "id=\"objective\"", "id=\"policy\"",
          "<option value=\"2\">ppo, seed 7: return",
        ] {
          #expect(page.contains(part), "\(part)")
        }
        // Each is the run it would have been alone.
        let alone = try Tool.run(Self.small + ["--output", folder + "/alone", "--seed", "6"])
        #expect(alone.status == 0)
        #expect(try finalTensors(run + "/ppo-seed-6") == finalTensors(folder + "/alone"))
        let partly = try Tool.run(["rl", "train", "--resume", run, "--stop-after", "512"])
        #expect(partly.status == 64 && partly.errors.contains("is for a single run"), "\(partly.summary)")
        // One that is missing is made up for.
        try FileManager.default.removeItem(atPath: run + "/ppo-seed-6")
        let resumed = try Tool.run(["rl", "train", "--resume", run])
        #expect(resumed.status == 0, "\(resumed.summary)")
        #expect(try finalTensors(run + "/ppo-seed-6") == finalTensors(folder + "/alone"))
        let refused = try Tool.run(["rl", "evaluate", run])
        #expect(refused.status == 64 && refused.errors.contains("ppo-seed-5"), "\(refused.summary)")
      }
    }

    /// Every seed has its turn, and the tool says which have failed.
    @Test func divergedSeedsAreNamed() throws {
      try withFolder { folder in
        let run = folder + "/run"
        let result = try Tool.run(Self.small + ["--output", run, "--seeds", "2", "--learning-rate", "1e30"])
        #expect(result.status == 1, "\(result.summary)")
        for part in ["ppo-seed-1 did not finish", "ppo-seed-2 did not finish", "not every run finished"] {
          #expect(result.errors.contains(part), "\(result.summary)")
        }
      }
    }

    @Test(arguments: [
      (["--environment", "cartpole-v1"], "unknown environment 'cartpole-v1': did you mean 'CartPole-v1'?"),
      (["--environment", "Pendulum"], "did you mean 'Pendulum-v1'?"),
      (["--environment", "CartPole-v1", "--algorithm", "pop"], "unknown algorithm 'pop': did you mean 'ppo'?"),
      (
        ["--environment", "CartPole-v1", "--algorithm", "a2c", "--clip-range", "0.1"],
        "--clip-range is not a setting of a2c"
      ),
      (["--environment", "CartPole-v1", "--squash-actions"], "CartPole-v1 has discrete actions"),
      (["--environment", "CartPole-v1", "--initial-log-standard-deviation", "-1"], "CartPole-v1 has discrete actions"),
      (["--environment", "CartPole-v1", "--total-steps", "0"], "--total-steps must be"),
      (["--environment", "CartPole-v1", "--learning-rate", "nan"], "--learning-rate"),
      (["--environment", "CartPole-v1", "--clip-range", "-1"], "--clip-range must be"),
      (["--environment", "CartPole-v1", "--minibatch-size", "0"], "--minibatch-size must be"),
      (["--environment", "CartPole-v1", "--hidden-widths", "64,x"], "--hidden-widths should be integers"),
      (["--environment", "CartPole-v1", "--activation", "tahn"], "--activation"),
      (["--environment", "CartPole-v1", "--seeds", "0"], "--seeds must be"),
      (["--environment", "CartPole-v1", "--clip-range", "1e-17"], "--clip-range must be"),
      (["--environment", "CartPole-v1", "--algorithm", "ppo", "a2c", "ppo"], "--algorithm names ppo twice"),
      (["--environment", "CartPole-v1", "--seeds", "2", "--stop-after", "512"], "--stop-after is for a single run"),
      (
        ["--environment", "CartPole-v1", "--algorithm", "ppo", "a2c", "--stop-after", "512"],
        "--stop-after is for a single run"
      ),
      (["--environment", "GridWorld", "--preset", "zoo"], "rl-baselines3-zoo has no settings for GridWorld"),
      (
        [
          "--environment", "CartPole-v1", "--algorithm", "reinforce", "--no-baseline", "--value-coefficient", "1",
        ], "leave out --value-coefficient"
      ),
      ([], "--environment NAME"),
    ])
    func badFlags(flags: [String], message: String) throws {
      try withFolder { folder in
        let result = try Tool.run(["rl", "train", "--output", folder + "/run"] + flags)
        #expect(result.status == 64 && result.errors.contains(message), "\(result.summary)")
        #expect(!FileManager.default.fileExists(atPath: folder + "/run"))
      }
    }

    @Test func resumingSomethingElseIsRefused() throws {
      try withFolder { folder in
        let run = folder + "/run"
        let made = try Tool.run(Self.small + ["--output", run, "--stop-after", "256"])
        try #require(made.status == 0, "\(made.summary)")
        let other = try Tool.run(["rl", "train", "--resume", run, "--environment", "Acrobot-v1"])
        #expect(other.status == 1, "\(other.summary)")
        #expect(other.errors.contains("\(run) was trained in CartPole-v1, not in Acrobot-v1"), "\(other.summary)")
        let setting = try Tool.run(["rl", "train", "--resume", run, "--learning-rate", "1"])
        #expect(setting.status == 64 && setting.errors.contains("leave out --learning-rate"), "\(setting.summary)")
        let preset = try Tool.run(["rl", "train", "--resume", run, "--preset", "zoo"])
        #expect(preset.status == 64 && preset.errors.contains("leave out --preset"), "\(preset.summary)")
        let pretrain = try Tool.run(["pretrain", "--resume", run])
        #expect(pretrain.status == 1 && pretrain.errors.contains("is a run of 'nabla rl'"), "\(pretrain.summary)")
        let nothing = try Tool.run(["rl", "evaluate", folder + "/none"])
        #expect(nothing.status == 1 && nothing.errors.contains("there is no folder"), "\(nothing.summary)")
        // A configuration whose environment was renamed by hand no longer fits the checkpoint.
        let file = run + "/config.json"
        let text = try readText(file).replacingOccurrences(of: "CartPole-v1", with: "Acrobot-v1")
        try write(Array(text.utf8), to: file)
        let renamed = try Tool.run(["rl", "train", "--resume", run])
        #expect(renamed.status == 1 && renamed.errors.contains("saved state"), "\(renamed.summary)")
      }
    }

    /// Every environment learns something, or at least runs, through the tool.
    @Test(arguments: EnvironmentDescription.all.map(\.name)) func everyEnvironmentRuns(name: String) throws {
      try withFolder { folder in
        let run = folder + "/run"
        let result = try Tool.run([
          "rl", "train", "--environment", name, "--environments", "4", "--rollout-steps", "32", "--total-steps", "256",
          "--minibatch-size", "64", "--output", run,
        ])
        #expect(result.status == 0, "\(result.summary)")
        #expect(try readText(run + "/report.html").contains("class=\"policy-map\""))
      }
    }

    /// Every algorithm trains in a study, and stops and goes on to the same bits.
    @Test func algorithmsAreCompared() throws {
      try withFolder { folder in
        let flags =
          ["rl", "train", "--environment", "CartPole-v1", "--total-steps", "2000", "--algorithm"] + Algorithm.names
        let whole = try Tool.run(flags + ["--output", folder + "/whole"])
        try #require(whole.status == 0, "\(whole.summary)")
        let page = try readText(folder + "/whole/report.html")
        #expect(page.contains("Comparison"))
        for name in Algorithm.names {
          #expect(page.contains("<td>\(name)</td>"))
          let one = ["rl", "train", "--environment", "CartPole-v1", "--total-steps", "2000", "--algorithm", name]
          let stopped = try Tool.run(one + ["--output", "\(folder)/\(name)", "--stop-after", "500"])
          #expect(stopped.status == 0, "\(stopped.summary)")
          let resumed = try Tool.run(["rl", "train", "--resume", "\(folder)/\(name)"])
          #expect(resumed.status == 0, "\(resumed.summary)")
          #expect(try finalTensors("\(folder)/\(name)") == finalTensors("\(folder)/whole/\(name)-seed-1"), "\(name)")
        }
      }
    }

    @Test func listNamesEverything() throws {
      let text = try Tool.run(["rl", "list"]).output
      for description in EnvironmentDescription.all { #expect(text.contains(description.name)) }
      for name in Algorithm.names { #expect(text.contains("  \(name) ")) }
      let object = try JSONValue(parsing: Array(Tool.run(["rl", "list", "--json"]).output.utf8))
      #expect(object["environments"]?.array?.count == EnvironmentDescription.all.count)
    }
  }
}

/// The parameters, moments and all of the last checkpoint.
func finalTensors(_ run: String) throws -> [UInt8] {
  let checkpoint = try #require(try CheckpointStore.newestValid(in: run + "/checkpoints").checkpoint)
  return try readBytes(checkpoint.file("policy.safetensors"))
}

/// The metrics that do not tell the time.
private func curve(_ run: String) throws -> [[Double]] {
  try MetricsRecord.readAll(folder: run).map { record in
    [Double(record.step)]
      + record.values.filter { !["charts/SPS", "seconds", "memory_bytes"].contains($0.name) && !$0.value.isNaN }.map(
        \.value)
  }
}
