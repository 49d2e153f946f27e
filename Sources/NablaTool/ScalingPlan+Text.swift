import Nabla

extension TrainingPlan {
  var text: String {
    let s = shape
    var rows = [
      ["law", request.law.title],
      [
        "training compute",
        "\(compact(allocation.compute)) FLOPs (\(compact(Compute.petaflopDays(flop: allocation.compute))) PF-days)",
      ],
      ["parameters N", counted(allocation.parameters) + interval(parametersInterval, counted)],
      ["tokens D", counted(allocation.tokens) + interval(tokensInterval, counted)],
      ["tokens per parameter", significant(allocation.tokensPerParameter, digits: 3)],
      [
        "loss",
        significant(loss, digits: 4) + interval(lossInterval) { significant($0, digits: 4) }
          + " nats per token of the law's own data",
      ],
    ]
    if let seconds, let hardware = request.hardware {
      rows.append([
        "time",
        "\(duration(seconds)) on \(hardware.count) × \(hardware.name) at \(significant(100 * request.utilization, digits: 3)) % "
          + "of \(compact(hardware.flopPerSecond)) FLOP/s (\(hardware.source))",
      ])
    }
    if let cost { rows.append(["cost", grouped(cost < 100 ? cost : cost.rounded()) + " in the currency of --price"]) }
    var text = lines(rows)
    text += "\nTransformer of that size\n"
    text += lines([
      ["layers", "\(s.layerCount)"], ["hidden size", "\(s.width), feed-forward \(s.feedForwardWidth) (SwiGLU)"],
      ["heads", "\(s.headCount) of size \(s.headSize), \(plural(s.keyValueHeadCount, "key/value head"))"],
      ["vocabulary", "\(grouped(s.vocabularySize)), embeddings \(s.tieEmbeddings ? "tied" : "not tied")"],
      ["parameters", "\(grouped(s.parameterCount)), \(grouped(s.nonEmbeddingCount)) without embeddings"],
    ])
    text += "\nPeak learning rate (AdamW) and batch size: rules disagree; try values around them\n"
    text += columns(
      rules.map { rule in
        [
          rule.source, rule.learningRate.map { compact($0) } ?? "",
          rule.batchTokens.map { counted($0) + " tokens" } ?? "",
        ]
      })
    text += "\nTraining FLOPs\n"
    text += lines([
      ["6ND", compact(flops.sixND)],
      ["PaLM", "\(compact(flops.palm)), with attention over \(grouped(s.context)) tokens"],
      ["Chinchilla", "\(compact(flops.chinchilla)), every matrix multiplication"],
    ])
    text += memoryText
    text += overTrainingText
    if let serving {
      let served = request.servedTokens ?? 0
      let total = { (a: Allocation) in 6 * a.parameters * a.tokens + 2 * a.parameters * served }
      text += """

        Least compute to train to this loss and serve \(counted(served)) tokens (Sardana et al. 2024)
          \(counted(serving.parameters)) parameters on \(counted(serving.tokens)) tokens: \(compact(total(serving))) FLOP, \
        against \(compact(total(allocation)))

        """
    }
    if let limited = dataLimited {
      text += """

        With \(counted(request.uniqueTokens ?? 0)) unique tokens (decay constants of Muennighoff et al. 2023)
          \(counted(limited.allocation.parameters)) parameters, \(significant(limited.epochs, digits: 3)) epochs: loss \
        \(significant(limited.loss, digits: 4)), against \(significant(limited.unlimitedLoss, digits: 4)) with \
        unlimited data

        """
    }
    text += "\nOther laws, same compute\n"
    text += columns(
      others.map { other in
        [
          other.law.title, counted(other.allocation.parameters), counted(other.allocation.tokens),
          "\(significant(other.allocation.tokensPerParameter, digits: 3)) tokens per parameter",
        ]
      })
    return text
  }

  private var memoryText: String {
    let m = memory
    let s = shape
    var rows = [
      ["weights, gradients, optimizer", "\(bytes(m.weights)) + \(bytes(m.gradients)) + \(bytes(m.optimizer))"],
      ["activations, all stored", bytes(m.activations)],
      ["activations, attention recomputed", bytes(m.activationsSelective)],
      ["activations, full recomputation", bytes(m.activationsFull)],
    ]
    var heads: [Int] = []
    for count in [s.headCount, 8, 1] where s.headCount % count == 0 && !heads.contains(count) { heads.append(count) }
    rows += heads.map {
      ["cache, \(plural($0, "key/value head"))", "\(bytes(s.cacheBytes(keyValueHeads: $0))) per sequence"]
    }
    var text =
      "\nMemory, 16-bit training with AdamW, \(plural(request.microBatch, "sequence")) of \(grouped(s.context)) tokens\n"
      + lines(rows)
    if let hardware = request.hardware, let each = hardware.memory {
      let needed = m.state / Double(hardware.count) + m.activationsSelective
      let verdict = needed <= each ? "fits" : "does not fit"
      text += """
          sharded over \(hardware.count): \(bytes(needed)) each, \(verdict) in \(bytes(each)) (ZeRO-3, attention \
        recomputed; buffers are extra)

        """
    }
    return text
  }

  private var overTrainingText: String {
    if overTraining.isEmpty { return "" }
    return "\nSmaller or larger at the same compute\n"
      + columns(
        [["size", "parameters", "tokens", "tokens/parameter", "loss", "compute for the optimal loss"]]
          + overTraining.map { row in
            [
              "\(significant(row.share, digits: 2))×", counted(row.allocation.parameters),
              counted(row.allocation.tokens), significant(row.allocation.tokensPerParameter, digits: 3),
              significant(row.loss, digits: 4),
              row.computeForSameLoss.map { "\(significant($0, digits: 3))×" } ?? "unreachable",
            ]
          })
  }

  private func interval(_ range: ClosedRange<Double>?, _ text: (Double) -> String) -> String {
    range == nil ? "" : " (95 %: \(ranged(range, text)))"
  }

  private func bytes(_ count: Double) -> String { scaled(count, [" B", " kB", " MB", " GB", " TB", " PB"]) }

  private func lines(_ rows: [[String]]) -> String {
    let width = rows.map { $0[0].count }.max()! + 2
    return rows.map { "  " + $0[0] + String(repeating: " ", count: width - $0[0].count) + $0[1] + "\n" }.joined()
  }

  var json: JSONValue {
    let split = { (a: Allocation) -> JSONValue in ["N": .number(a.parameters), "D": .number(a.tokens)] }
    let s = shape
    var object = JSONObject([
      ("law", .string(request.law.name)), ("compute", .number(allocation.compute)),
      ("N", .number(allocation.parameters)),
      ("D", .number(allocation.tokens)), ("loss", .number(loss)), ("loss_interval", lossInterval?.json ?? .null),
      ("N_interval", parametersInterval?.json ?? .null), ("D_interval", tokensInterval?.json ?? .null),
      ("extrapolation", extrapolation.map { .number($0) } ?? .null),
    ])
    object["shape"] = [
      "layers": .integer(s.layerCount), "width": .integer(s.width), "heads": .integer(s.headCount),
      "key_value_heads": .integer(s.keyValueHeadCount), "head_size": .integer(s.headSize),
      "feed_forward_width": .integer(s.feedForwardWidth), "vocabulary": .integer(s.vocabularySize),
      "context": .integer(s.context), "tied": .bool(s.tieEmbeddings), "parameters": .integer(s.parameterCount),
      "non_embedding_parameters": .integer(s.nonEmbeddingCount),
    ]
    object["flops"] = [
      "6ND": .number(flops.sixND), "palm": .number(flops.palm), "chinchilla": .number(flops.chinchilla),
    ]
    object["memory"] = [
      "weights": .number(memory.weights), "gradients": .number(memory.gradients),
      "optimizer": .number(memory.optimizer),
      "activations": .number(memory.activations), "activations_selective": .number(memory.activationsSelective),
      "activations_full": .number(memory.activationsFull), "cache_per_sequence": .number(s.cacheBytes()),
    ]
    object["seconds"] = seconds.map { .number($0) } ?? .null
    object["cost"] = cost.map { .number($0) } ?? .null
    object["rules"] = .array(
      rules.map {
        [
          "source": .string($0.source), "learning_rate": $0.learningRate.map { .number($0) } ?? .null,
          "batch_tokens": $0.batchTokens.map { .number($0) } ?? .null,
        ]
      })
    object["over_training"] = .array(
      overTraining.map {
        [
          "share": .number($0.share), "N": .number($0.allocation.parameters), "D": .number($0.allocation.tokens),
          "loss": .number($0.loss), "compute_for_same_loss": $0.computeForSameLoss.map { .number($0) } ?? .null,
        ]
      })
    if let serving { object["serving"] = split(serving) }
    if let dataLimited {
      object["data_limited"] = [
        "N": .number(dataLimited.allocation.parameters), "D": .number(dataLimited.allocation.tokens),
        "epochs": .number(dataLimited.epochs), "loss": .number(dataLimited.loss),
      ]
    }
    object["other_laws"] = .object(JSONObject(others.map { ($0.law.name, split($0.allocation)) }))
    return .object(object)
  }
}
