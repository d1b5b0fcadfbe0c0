import Base
import CCompute
import Glibc
import Model

/// AdamW over the tuned tensors (Loshchilov and Hutter, arXiv 1711.05101), in PyTorch's order of operations.
struct AdamW {
  let options: TrainingOptions
  let compute: Compute

  /// √Σ g² over all gradients. Summed tensor by tensor, so it does not depend on the number of threads.
  func gradientNorm(_ parameters: [Parameter]) throws -> Double {
    let sums = try Parallel.map(parameters.count, threads: compute.threads) { i in
      let gradient = parameters[i].tuning!.gradient
      return vp_sum_squares(gradient.start, gradient.count)
    }
    return sums.reduce(0, +).squareRoot()
  }

  /// One optimizer step; resets the gradients to zero.
  /// - Parameters:
  ///   - number: of the step, from 1.
  ///   - shares: factor of the learning rate for each tensor.
  ///   - norm: L2 norm of all gradients, before clipping.
  func step(_ parameters: [Parameter], number: Int, learningRate: Double, shares: [Double], norm: Double) {
    let scale = options.clip > 0 && norm > options.clip ? options.clip / (norm + 1e-6) : 1
    let step = vp_adamw_step(
      lr: Float(learningRate), beta1: Float(options.beta1), beta2: Float(options.beta2), eps: Float(options.epsilon),
      weight_decay: Float(options.weightDecay), correction1: Float(1 - pow(options.beta1, Double(number))),
      correction2_root: Float((1 - pow(options.beta2, Double(number))).squareRoot()), gradient_scale: Float(scale))
    compute.each(parameters.count) { _, i in
      let tuning = parameters[i].tuning!
      var step = step
      step.lr = Float(learningRate * shares[i])
      vp_adamw(
        tuning.master.start, tuning.gradient.start, tuning.firstMoment.start, tuning.secondMoment.start,
        parameters[i].count, &step)
      tuning.gradient.clear()
    }
  }
}
