import Nabla
import Testing

extension ToolTests {
  /// NABLA_ISA caps our kernels and oneDNN together, and `nabla inspect --machine` says so.
  @Suite struct MachineInspection {
    private func machine(_ level: String) throws -> (JSONValue, Tool.Result) {
      let result = try Tool.run(["inspect", "--machine", "--json"], environment: ["NABLA_ISA": level])
      return (try JSONValue(parsing: result.output), result)
    }

    @Test(arguments: InstructionSet.allCases) func caps(_ set: InstructionSet) throws {
      let (machine, result) = try machine(set.rawValue)
      let expected = min(set, .ofCPU)
      #expect(result.status == 0 && machine["cpu"]?.string == InstructionSet.ofCPU.rawValue, "\(result.summary)")
      #expect(machine["cap"]?.string == set.rawValue)
      #expect(machine["kernels"]?.string == min(expected, .avx512VNNI).rawValue)
      #expect(machine["onednn"]?.string == expected.rawValue)
      #expect(machine["precision"]?.string == (expected >= .avx512BF16 ? "bfloat16" : "float32"))
      #expect(result.errors.contains("at most") == (set > .ofCPU), "\(result.summary)")
      let text = try Tool.run(["inspect", "--machine"], environment: ["NABLA_ISA": set.rawValue]).output
      #expect(text.contains("NABLA_ISA=\(set.rawValue)") && text.contains("threads         1"))
    }

    /// The tool starts anew with a limit, unless the user has set one.
    @Test func limitsPolling() throws {
      try withFolder { folder in
        for (set, expected) in [("", "GOMP_SPINCOUNT=10000"), ("GOMP_SPINCOUNT=7", "GOMP_SPINCOUNT=7")] {
          let result = try Tool.shell(
            """
            rm -rf "$1/run"
            env -u GOMP_SPINCOUNT -u OMP_WAIT_POLICY \(set) "$nabla" rl train --environment CartPole-v1 --output "$1/run" >"$1/log" 2>&1 &
            tries=0
            until [ -e "$1/run/config.json" ] || [ $((tries += 1)) -gt 3000 ] || ! kill -0 $!; do sleep 0.02; done
            tr '\\0' '\\n' < "/proc/$!/environ" | grep '^GOMP_SPINCOUNT='
            kill -KILL $!
            """, [folder])
          #expect(result.output == expected + "\n", "\(result.summary)")
        }
      }
    }

    /// Kernels that the cap takes away give other last bits: fused multiply-add rounds once, two instructions twice.
    /// An agent's networks run in our kernels alone, without oneDNN.
    @Test(.enabled(if: InstructionSet.ofCPU >= .avx2, "one level only on this CPU")) func capsTheKernels() throws {
      try withFolder { folder in
        func trained(_ level: String) throws -> [UInt8] {
          let run = "\(folder)/\(level)"
          let result = try Tool.run(
            ReinforcementLearning.small + ["--output", run, "--seed", "3"], environment: ["NABLA_ISA": level])
          try #require(result.status == 0, "\(result.summary)")
          return try finalTensors(run)
        }
        let baseline = try trained("baseline")
        #expect(try trained("avx2") != baseline)
      }
    }

    @Test func unset() throws {
      let (machine, result) = try machine("")
      #expect(result.status == 0 && result.errors.isEmpty && machine["cap"] == .null)
    }

    @Test(arguments: ["avx5", "AVX2", "avx2 ", "0"]) func badValues(_ value: String) throws {
      for arguments in [["inspect", "--machine"], ["tokenize", "x"], ["--help"]] {
        let result = try Tool.run(arguments, environment: ["NABLA_ISA": value])
        #expect(result.status == 64 && result.output.isEmpty, "\(result.summary)")
        #expect(
          result.errors.contains("NABLA_ISA must be one of baseline, avx2, avx512, avx512-vnni, avx512-bf16, amx"),
          "\(result.summary)")
      }
    }

    @Test func takesNoModel() throws {
      for arguments in [
        ["--machine", "model.gguf"], ["--machine", "--tensors"], ["--machine", "--context", "5"], [],
      ] {
        let result = try Tool.run(["inspect"] + arguments)
        #expect(result.status == 64 && result.errors.contains("--machine"), "\(result.summary)")
      }
    }
  }
}
