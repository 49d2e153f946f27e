import Foundation
import Testing

import NablaScaling

@Suite struct PlanTests {
  /// Llama 2 7B and 70B: 6,738,415,616 and 68,976,648,192 parameters in the files that were published.
  @Test func countsOfPublishedModels() {
    let small = TransformerShape(
      vocabularySize: 32_000, context: 4_096, width: 4_096, layerCount: 32, headCount: 32, feedForwardWidth: 11_008,
      tieEmbeddings: false)
    #expect(small.parameterCount == 6_738_415_616)
    let large = TransformerShape(
      vocabularySize: 32_000, context: 4_096, width: 8_192, layerCount: 80, headCount: 64, keyValueHeadCount: 8,
      feedForwardWidth: 28_672, tieEmbeddings: false)
    #expect(large.parameterCount == 68_976_648_192)
    // A cache of 2·80·8·128·4096 numbers, 1.25 GiB; eight times that with a key/value head for each query head.
    #expect(large.cacheBytes() == 1_342_177_280 && large.cacheBytes(keyValueHeads: 64) == 8 * large.cacheBytes())
  }

  @Test(arguments: [1e6, 1e7, 1e8, 1e9, 7e9, 7e10, 5e11])
  func nearestShape(parameters: Double) throws {
    let shape = try TransformerShape.nearest(
      parameters: parameters, vocabularySize: parameters < 1e8 ? 1_024 : 50_304, context: 2_048)
    #expect(abs(Double(shape.parameterCount) / parameters - 1) < 0.05)
    #expect((parameters < 1e7 ? 10...400 : 30...150).contains(Double(shape.width) / Double(shape.layerCount)))
    #expect(shape.headCount * shape.headSize == shape.width && shape.headCount % shape.keyValueHeadCount == 0)
  }

  @Test func noRoomForLayers() {
    #expect(throws: PlanError.self) {
      try TransformerShape.nearest(parameters: 1e6, vocabularySize: 1_000_000, context: 128)
    }
  }

  /// GPT-3: 6·175e9·300e9 = 3.15e23, not the 3.6e23 that is sometimes given; 1.8e12 parameters on 13e12 tokens would
  /// be 1.4e26, not 2e25 (a mixture of experts computes with a part of its parameters).
  @Test func sixND() {
    #expect(abs(Allocation(parameters: 175e9, tokens: 300e9).compute / 3.15e23 - 1) < 1e-12)
    #expect(abs(Allocation(parameters: 1.8e12, tokens: 13e12).compute / 1.404e26 - 1) < 1e-12)
  }

  /// Chinchilla's table A4 finds its exact count within 10 % of 6ND at these sizes.
  @Test func threeCountsAgree() throws {
    let shape = try TransformerShape.nearest(parameters: 7e9, vocabularySize: 32_000, context: 2_048)
    let flops = TrainingFLOPs(shape, tokens: 1e12)
    #expect(abs(flops.sixND / (6e12 * Double(shape.parameterCount)) - 1) < 1e-12)
    let attention = 12.0 * Double(shape.layerCount * shape.width * 2_048) * 1e12
    #expect(abs(flops.palm - flops.sixND - attention) < 1e-9 * flops.palm)
    #expect((0.95...1.15).contains(flops.chinchilla / flops.sixND))
  }

  /// By hand for one layer of width 2, one head, feed-forward 3, vocabulary 5, context 4, one token.
  @Test func exactCountByHand() {
    let shape = TransformerShape(
      vocabularySize: 5, context: 4, width: 2, layerCount: 1, headCount: 1, feedForwardWidth: 3, tieEmbeddings: true)
    let projections: Double = 32  // q, k, v, o: 2·2·2 each
    let attention: Double = 16 + 12 + 16  // q·k over 4 positions, softmax, their mean of the values
    let feedForward: Double = 36  // three matrices of 2·3
    let tables: Double = 20 + 20
    let expected: Double = 3 * (tables + projections + attention + feedForward)
    #expect(TrainingFLOPs(shape, tokens: 1).chinchilla == expected)
    // q, k, v, o 16; feed-forward 18; norms 2·2 and 2; embedding 10.
    #expect(shape.parameterCount == 50)
  }

  /// Korthikanti et al.: a layer of s 2048, b 1, h 12288, a 96 keeps s·b·h·(34 + 5·96·2048/12288) = 114 s·b·h bytes.
  @Test func memoryByPart() {
    let shape = TransformerShape(
      vocabularySize: 51_200, context: 2_048, width: 12_288, layerCount: 96, headCount: 96, tieEmbeddings: true)
    let memory = TrainingMemory(shape, sequences: 1)
    let sbh = 2_048.0 * 12_288 * 96
    #expect(
      memory.activations == 114 * sbh && memory.activationsSelective == 34 * sbh && memory.activationsFull == 2 * sbh)
    #expect(memory.state == 16 * Double(shape.parameterCount))
  }

  @Test func hardwareByName() throws {
    let hardware = try Hardware(named: "8xh100")
    #expect(hardware.count == 8 && hardware.flopPerSecond == 989e12)
    // A day of 8 at 40 %.
    #expect(abs(hardware.compute(seconds: 86_400, utilization: 0.4) / 2.7343872e20 - 1) < 1e-9)
    #expect(abs(hardware.seconds(compute: 2.7343872e20, utilization: 0.4) / 86_400 - 1) < 1e-9)
    #expect(try Hardware(named: "RTX4090").count == 1)
    for name in ["H99", "0xH100", "99999999xH100", "xH100", ""] {
      #expect(throws: PlanError.self) { try Hardware(named: name) }
    }
  }

  @Test func planOfABudget() throws {
    var request = PlanRequest(law: NamedLaw.published("besiroglu")!, budget: .compute(1e21))
    request.hardware = try Hardware(named: "8xH100")
    request.hourlyPrice = 2
    request.uniqueTokens = 2e9
    request.servedTokens = 1e12
    let plan = try TrainingPlan(request)
    #expect(plan.allocation == Chinchilla.besiroglu.optimalAllocation(compute: 1e21))
    #expect(abs(Double(plan.shape.parameterCount) / plan.allocation.parameters - 1) < 0.05)
    let hours = 6 * Double(plan.shape.parameterCount) * plan.allocation.tokens / (8 * 989e12 * 0.4) / 3_600
    #expect(abs(plan.seconds! / 3_600 / hours - 1) < 1e-9 && abs(plan.cost! / (16 * hours) - 1) < 1e-9)
    let limited = try #require(plan.dataLimited)
    #expect(limited.loss > limited.unlimitedLoss && limited.epochs > 1)
    let serving = try #require(plan.serving)
    #expect(serving.parameters < plan.allocation.parameters && serving.tokens > plan.allocation.tokens)
    #expect(abs(Chinchilla.besiroglu.loss(serving) - plan.loss) < 1e-9)
  }

  @Test func budgetsOfOtherKinds() throws {
    for law in NamedLaw.published {
      let expected = law.law.optimalAllocation(compute: 1e21)
      for budget in [PlanRequest.Budget.parameters(expected.parameters), .tokens(expected.tokens), .both(expected)] {
        let plan = try TrainingPlan(PlanRequest(law: law, budget: budget))
        #expect(abs(plan.allocation.compute / 1e21 - 1) < 1e-6)
      }
    }
    #expect(throws: PlanError.self) {
      try TrainingPlan(PlanRequest(law: NamedLaw.published[0], budget: .compute(-1)))
    }
    #expect(throws: PlanError.self) {
      try TrainingPlan(PlanRequest(law: NamedLaw.published[0], budget: .both(.init(parameters: 1e9, tokens: .nan))))
    }
  }

  /// At the minimum of 6ND + 2N·D_served along constant loss: αA/N^α over βB/D^β is 1 + D_served / 3D.
  @Test func servingOptimum() throws {
    let law = Chinchilla.hoffmann
    let loss = law.loss(law.optimalAllocation(compute: 1e22))
    for served in [1e9, 1e11, 1e13] {
      let best = try #require(law.servingAllocation(loss: loss, servedTokens: served))
      let ratio =
        law.alpha * law.A / pow(best.parameters, law.alpha) / (law.beta * law.B / pow(best.tokens, law.beta))
      #expect(abs(ratio / (1 + served / (3 * best.tokens)) - 1) < 1e-4)
    }
    let none = try #require(law.servingAllocation(loss: loss, servedTokens: 0))
    #expect(abs(none.parameters / law.optimalAllocation(compute: 1e22).parameters - 1) < 1e-3)
    #expect(law.servingAllocation(loss: law.E, servedTokens: 1) == nil)
  }

  @Test func overTrainingCosts() {
    let law = Chinchilla.besiroglu
    let table = OverTraining.table(law, compute: 1e21)
    let optimum = table.first { $0.share == 1 }!
    #expect(table.allSatisfy { $0.loss >= optimum.loss && abs($0.allocation.compute / 1e21 - 1) < 1e-12 })
    for row in table {
      guard let multiple = row.computeForSameLoss else { continue }
      let tokens = multiple * 1e21 / (6 * row.allocation.parameters)
      #expect(abs(law.loss(parameters: row.allocation.parameters, tokens: tokens) - optimum.loss) < 1e-9)
    }
    // A twentieth of the size cannot reach it at all with these constants.
    #expect(table.last!.computeForSameLoss == nil)
  }

  @Test func intervalsComeFromSamples() throws {
    var law = NamedLaw.published("besiroglu")!
    #expect(law.interval { $0.E } == nil)
    law.samples = [.besiroglu, .hoffmann]
    let plan = try TrainingPlan(PlanRequest(law: law, budget: .compute(1e24)))
    #expect(plan.parametersInterval!.contains(6e10) && plan.extrapolation! > 70 && plan.lossInterval != nil)
  }

  /// Refits overflow where an exponent is large.
  @Test func intervalsOfSamplesThatOverflow() {
    var (law, overflowing) = (NamedLaw.published("besiroglu")!, Chinchilla.besiroglu)
    overflowing.A = .infinity
    law.samples = [.besiroglu, .besiroglu, .besiroglu, overflowing, overflowing]
    #expect(law.interval { $0.A } == 482.01...Double.infinity)
    law.samples = [overflowing, overflowing]
    #expect(law.interval { $0.A } == Double.infinity...Double.infinity)
  }

  /// DeepSeek LLM (2024) gives these for 10²⁰ FLOP by its formulas.
  @Test func rules() {
    let rules = HyperparameterRule.all(parameters: 1e9, tokens: 1e20 / 6e9, loss: 2.5)
    #expect(abs(rules[0].learningRate! - 0.3118 * exp(-0.125 * log(1e20))) < 1e-9)
    #expect(abs(rules[0].batchTokens! - 0.2920 * exp(0.3271 * log(1e20))) < 1)
    #expect((1e-4...1e-2).contains(rules[1].learningRate!) && (1e5...2e6).contains(rules[1].batchTokens!))
    #expect(abs(rules[2].batchTokens! - 2e8 / exp(log(2.5) / 0.21)) < 1)
  }
}
