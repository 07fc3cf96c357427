/**
 * Puts a method in place of one of Node's, which it can still call. Replaced on the prototype that all instances have,
 * it does not matter who has imported what, and when.
 *
 * @param by gets the instance, the arguments, and the call of the method it replaces: with the same arguments, or with
 *   others
 */
export function replaceMethod<Instance extends object>(
  prototype: Instance,
  name: keyof Instance,
  by: (instance: Instance, args: readonly unknown[], real: RealMethod) => unknown,
): void {
  const method = prototype[name];
  if (typeof method !== 'function') throw new Error(`Node has no method ${String(name)} here`);
  Object.defineProperty(prototype, name, {
    configurable: true,
    writable: true,
    value: function (this: Instance, ...args: unknown[]): unknown {
      return by(this, args, (others) => Reflect.apply(method, this, others ?? args));
    },
  });
}

export type RealMethod = (args?: readonly unknown[]) => unknown;
