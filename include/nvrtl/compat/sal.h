/* SPDX-License-Identifier: MIT */
/*
 * The names of Microsoft's source annotations (SAL 2, and those for locks and drivers), each defined to nothing: they
 * speak to an analyser that is not here. The names in the old style (__in, __out) are left alone, because libstdc++
 * uses them.
 */
#ifndef NVRTL_COMPAT_SAL_H
#define NVRTL_COMPAT_SAL_H

/* What is passed in. */
#define _In_
#define _In_opt_
#define _In_z_
#define _In_opt_z_
#define _In_reads_(n)
#define _In_reads_opt_(n)
#define _In_reads_bytes_(n)
#define _In_reads_bytes_opt_(n)
#define _In_reads_z_(n)
#define _In_reads_opt_z_(n)
#define _In_reads_or_z_(n)
#define _In_reads_or_z_opt_(n)
#define _In_reads_to_ptr_(p)
#define _In_reads_to_ptr_opt_(p)
#define _In_range_(low, high)
#define _In_count_(n)
#define _In_bytecount_(n)
#define _In_defensive_(a)
#define _In_function_class_(c)

/* What comes out. */
#define _Out_
#define _Out_opt_
#define _Out_writes_(n)
#define _Out_writes_opt_(n)
#define _Out_writes_bytes_(n)
#define _Out_writes_bytes_opt_(n)
#define _Out_writes_z_(n)
#define _Out_writes_opt_z_(n)
#define _Out_writes_to_(n, count)
#define _Out_writes_to_opt_(n, count)
#define _Out_writes_all_(n)
#define _Out_writes_all_opt_(n)
#define _Out_writes_bytes_to_(n, count)
#define _Out_writes_bytes_to_opt_(n, count)
#define _Out_writes_bytes_all_(n)
#define _Out_writes_bytes_all_opt_(n)
#define _Out_writes_to_ptr_(p)
#define _Out_range_(low, high)
#define _Outptr_
#define _Outptr_opt_
#define _Outptr_result_maybenull_
#define _Outptr_opt_result_maybenull_
#define _Outptr_result_z_
#define _Outptr_result_nullonfailure_
#define _Outptr_result_buffer_(n)
#define _Outptr_result_bytebuffer_(n)
#define _Outptr_result_bytebuffer_maybenull_(n)
#define _Outref_
#define _COM_Outptr_
#define _COM_Outptr_opt_

/* What goes in and comes out. */
#define _Inout_
#define _Inout_opt_
#define _Inout_z_
#define _Inout_opt_z_
#define _Inout_updates_(n)
#define _Inout_updates_opt_(n)
#define _Inout_updates_z_(n)
#define _Inout_updates_to_(n, count)
#define _Inout_updates_to_opt_(n, count)
#define _Inout_updates_all_(n)
#define _Inout_updates_all_opt_(n)
#define _Inout_updates_bytes_(n)
#define _Inout_updates_bytes_opt_(n)
#define _Inout_updates_bytes_to_(n, count)
#define _Inout_updates_bytes_to_opt_(n, count)
#define _Inout_updates_bytes_all_(n)
#define _Inout_updates_bytes_all_opt_(n)

/* What is returned. */
#define _Ret_z_
#define _Ret_maybenull_
#define _Ret_maybenull_z_
#define _Ret_notnull_
#define _Ret_null_
#define _Ret_valid_
#define _Ret_range_(low, high)
#define _Ret_writes_(n)
#define _Ret_writes_z_(n)
#define _Ret_writes_bytes_(n)
#define _Ret_writes_maybenull_(n)
#define _Ret_writes_to_(n, count)
#define _Ret_writes_bytes_to_(n, count)
#define _Ret_writes_bytes_maybenull_(n)
#define _Check_return_
#define _Must_inspect_result_
#define _Result_nullonfailure_
#define _Result_zeroonfailure_

/* What holds before and after, and when. */
#define _Pre_
#define _Pre_maybenull_
#define _Pre_notnull_
#define _Pre_null_
#define _Pre_valid_
#define _Pre_invalid_
#define _Pre_readable_size_(n)
#define _Pre_writable_size_(n)
#define _Pre_readable_byte_size_(n)
#define _Pre_writable_byte_size_(n)
#define _Pre_satisfies_(e)
#define _Pre_opt_valid_
#define _Pre_z_
#define _Post_
#define _Post_invalid_
#define _Post_valid_
#define _Post_maybenull_
#define _Post_notnull_
#define _Post_null_
#define _Post_ptr_invalid_
#define _Post_readable_size_(n)
#define _Post_writable_size_(n)
#define _Post_readable_byte_size_(n)
#define _Post_writable_byte_size_(n)
#define _Post_satisfies_(e)
#define _Post_z_
#define _Post_equal_to_(e)
#define _Deref_
#define _Deref_in_range_(low, high)
#define _Deref_out_range_(low, high)
#define _Deref_pre_
#define _Deref_post_
#define _Deref_out_
#define _Deref_out_opt_
#define _Always_(a)
#define _At_(target, a)
#define _At_buffer_(target, iter, bound, a)
#define _On_failure_(a)
#define _Success_(e)
#define _When_(e, a)
#define _Group_(a)
#define _Unchanged_(e)
#define _Notnull_
#define _Null_
#define _Maybenull_
#define _Notvalid_
#define _Valid_
#define _Notref_
#define _NullNull_terminated_
#define _Null_terminated_
#define _Readable_bytes_(n)
#define _Readable_elements_(n)
#define _Writable_bytes_(n)
#define _Writable_elements_(n)
#define _Satisfies_(e)
#define _Const_
#define _Literal_
#define _Notliteral_
#define _Reserved_
#define _Return_type_success_(e)
#define _Function_class_(c)
#define _Use_decl_annotations_
#define _Printf_format_string_
#define _Scanf_format_string_
#define _Struct_size_bytes_(n)
#define _Field_size_(n)
#define _Field_size_opt_(n)
#define _Field_size_part_(n, count)
#define _Field_size_full_(n)
#define _Field_size_bytes_(n)
#define _Field_size_bytes_opt_(n)
#define _Field_size_bytes_part_(n, count)
#define _Field_size_bytes_full_(n)
#define _Field_range_(low, high)
#define _Field_z_
#define _Points_to_data_
#define _Prepost_
#define _Prepost_z_
#define _Enum_is_bitflag_
#define _Strict_type_match_
#define _Maybe_raises_SEH_exception_
#define _Raises_SEH_exception_
#define _Maybe_valid_
#define _Analysis_noreturn_
#define _Analysis_mode_(m)
#define _Analysis_assume_(e) ((void)0)
#define _Analysis_assume_nullterminated_(e) ((void)0)
#define _Null_terminated_string_

/* Locks. */
#define _Acquires_lock_(l)
#define _Acquires_exclusive_lock_(l)
#define _Acquires_shared_lock_(l)
#define _Acquires_nonreentrant_lock_(l)
#define _Releases_lock_(l)
#define _Releases_exclusive_lock_(l)
#define _Releases_shared_lock_(l)
#define _Releases_nonreentrant_lock_(l)
#define _Requires_lock_held_(l)
#define _Requires_exclusive_lock_held_(l)
#define _Requires_shared_lock_held_(l)
#define _Requires_lock_not_held_(l)
#define _Requires_no_locks_held_
#define _Guarded_by_(l)
#define _Write_guarded_by_(l)
#define _Interlocked_
#define _Interlocked_operand_
#define _Has_lock_kind_(k)
#define _Has_lock_level_(n)
#define _Lock_level_order_(a, b)
#define _Post_same_lock_(a, b)
#define _No_competing_thread_
#define _Create_lock_level_(n)

/* Drivers. */
#define _IRQL_always_function_max_(l)
#define _IRQL_always_function_min_(l)
#define _IRQL_inherits_
#define _IRQL_inherits_from_(f)
#define _IRQL_is_cancel_
#define _IRQL_limited_to_(l)
#define _IRQL_raises_(l)
#define _IRQL_requires_(l)
#define _IRQL_requires_max_(l)
#define _IRQL_requires_min_(l)
#define _IRQL_requires_same_
#define _IRQL_restores_
#define _IRQL_restores_global_(kind, p)
#define _IRQL_saves_
#define _IRQL_saves_global_(kind, p)
#define _IRQL_uses_cancel_
#define _Kernel_clear_do_init_(x)
#define _Kernel_float_restored_
#define _Kernel_float_saved_
#define _Kernel_float_used_
#define _Kernel_IoGetDmaAdapter_
#define _Kernel_requires_resource_held_(r)
#define _Kernel_requires_resource_not_held_(r)
#define _Kernel_acquires_resource_(r)
#define _Kernel_releases_resource_(r)
#define _Dispatch_type_(n)
#define __drv_aliasesMem
#define __drv_allocatesMem(k)
#define __drv_freesMem(k)
#define __drv_functionClass(c)
#define __drv_requiresIRQL(l)
#define __drv_maxIRQL(l)
#define __drv_when(e, a)
#define __drv_at(e, a)
#define __drv_strictTypeMatch(m)
#define __drv_reportError(t)
#define __drv_preferredFunction(f, w)
#define __drv_sameIRQL

#define __analysis_assume(e) ((void)0)

#endif
